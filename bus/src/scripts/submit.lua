-- Queues a task once. Bounded here, at the producer; a work stream is never trimmed.
-- KEYS: role pointer, task, stream, wake, lanes
-- ARGV: task id, role, lane member, limit, envelope
if call('EXISTS', KEYS[1]) == 1 then return 'again' end
if call('XLEN', KEYS[3]) >= tonumber(ARGV[4]) then return 'full' end
local entry = call('XADD', KEYS[3], '*', 't', ARGV[1], 'e', ARGV[5])
call('SET', KEYS[1], ARGV[2])
call('HSET', KEYS[2], 'state', 'queued', 'lane', ARGV[3], 'stream', KEYS[3], 'entry', entry)
call('SADD', KEYS[5], ARGV[3])
call('XADD', KEYS[4], 'MAXLEN', 1, '*', 'w', '1')
return 'new'
