-- The end of a task: journal, result, acknowledgement and lease in one step, once.
-- KEYS: task, lease, journal, out   ARGV: epoch, task id, group, journal entry, envelope
local f = call('HMGET', KEYS[1], 'state', 'epoch', 'stream', 'entry')
if f[2] ~= ARGV[1] then return 'fenced' end -- fence
if f[1] == 'finished' then return 'ok' end
if f[1] ~= 'held' then return 'fenced' end -- fence
call('XADD', KEYS[3], '*', 'j', ARGV[4])
call('XADD', KEYS[4], '*', 'e', ARGV[5])
call('XACK', f[3], ARGV[3], f[4])
call('XDEL', f[3], f[4])
call('ZREM', KEYS[2], ARGV[2])
call('HSET', KEYS[1], 'state', 'finished')
return 'ok'
