-- The holder lets go of a task that has to wait: report, journal and acknowledgement in one step,
-- once. The work message stays in the record, so that a parked task is in no stream.
-- KEYS: task, lease, journal, out   ARGV: epoch, task id, group, journal entry, envelope
-- Answers 'ok', 'cancel' where it is to be stopped instead, or 'fenced'.
local f = call('HMGET', KEYS[1], 'state', 'epoch', 'stream', 'entry', 'cancel', 'parked')
-- Also when it was resumed since: this park was heard, only its answer was not.
if f[6] == ARGV[1] then return 'ok' end
if f[1] ~= 'held' or f[2] ~= ARGV[1] then return 'fenced' end -- fence
if f[5] then return 'cancel' end
local found = call('XRANGE', f[3], f[4], f[4])
local body = found[1] and field(found[1][2], 'e') or ''
call('XADD', KEYS[3], '*', 'j', ARGV[4])
call('XADD', KEYS[4], '*', 'e', ARGV[5])
call('XACK', f[3], ARGV[3], f[4])
call('XDEL', f[3], f[4])
call('ZREM', KEYS[2], ARGV[2])
call('HSET', KEYS[1], 'state', 'parked', 'parked', ARGV[1], 'body', body)
return 'ok'
