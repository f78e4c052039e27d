-- The end of tasks: for each its result, acknowledgement and lease in one step, once. Nobody reads
-- the journal of a task that has ended, so nothing is written there.
-- KEYS: for each task: task, lease, out
-- ARGV: group, then for each task: epoch, task id, envelope
-- Answers a word for each task: ok or fenced.

-- Entries that are over, by stream, and tasks without a lease, by set: each leaves in one call.
local over, free = {}, {}
local function put(lists, key, value)
  local list = lists[key]
  if not list then
    list = {}
    lists[key] = list
  end
  list[#list + 1] = value
end

local function finish(k, a)
  local f = call('HMGET', KEYS[k], 'state', 'epoch', 'stream', 'entry')
  if f[2] ~= ARGV[a] then return 'fenced' end -- fence
  if f[1] == 'finished' then return 'ok' end
  if f[1] ~= 'held' then return 'fenced' end -- fence
  call('XADD', KEYS[k + 2], '*', 'e', ARGV[a + 2])
  call('HSET', KEYS[k], 'state', 'finished')
  put(over, f[3], f[4])
  put(free, KEYS[k + 1], ARGV[a + 1])
  return 'ok'
end

-- One task that fails (its record is no hash) keeps nobody else from leaving.
local said, failed = {}, nil
for n = 1, #KEYS / 3 do
  local good, word = pcall(finish, 3 * n - 2, 3 * n - 1)
  if not good then
    failed = word
    break
  end
  said[n] = word
end
for stream, entries in pairs(over) do
  call('XACK', stream, ARGV[1], unpack(entries))
  call('XDEL', stream, unpack(entries))
end
for lease, tasks in pairs(free) do call('ZREM', lease, unpack(tasks)) end
if failed then error(failed) end
return said
