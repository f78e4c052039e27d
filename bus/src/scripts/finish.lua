-- The end of tasks: for each its journal, result, acknowledgement and lease in one step, once.
-- KEYS: for each task: task, lease, journal, out
-- ARGV: group, then for each task: epoch, task id, journal entry, envelope
-- Answers a word for each task: ok or fenced.
local function finish(k, a)
  local f = call('HMGET', KEYS[k], 'state', 'epoch', 'stream', 'entry')
  if f[2] ~= ARGV[a] then return 'fenced' end -- fence
  if f[1] == 'finished' then return 'ok' end
  if f[1] ~= 'held' then return 'fenced' end -- fence
  call('XADD', KEYS[k + 2], '*', 'j', ARGV[a + 2])
  call('XADD', KEYS[k + 3], '*', 'e', ARGV[a + 3])
  call('XACK', f[3], ARGV[1], f[4])
  call('XDEL', f[3], f[4])
  call('ZREM', KEYS[k + 1], ARGV[a + 1])
  call('HSET', KEYS[k], 'state', 'finished')
  return 'ok'
end
local said = {}
for n = 1, #KEYS / 4 do said[n] = finish(4 * n - 3, 4 * n - 2) end
return said
