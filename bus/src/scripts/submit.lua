-- Queues a task once, now or at its due time. Bounded here, at the producer; a work stream is never
-- trimmed.
-- KEYS: role pointer, task, stream, wake, lanes, delay
-- ARGV: task id, role, lane member, limit, envelope, due ms (0: now)
if call('EXISTS', KEYS[1]) == 1 then return 'again' end
local due = tonumber(ARGV[6])
if due > 0 and due > now_ms() then
  if call('ZCARD', KEYS[6]) >= tonumber(ARGV[4]) then return 'full' end
  call('HSET', KEYS[2], 'state', 'delayed', 'lane', ARGV[3], 'stream', KEYS[3], 'body', ARGV[5],
    'limit', ARGV[4])
  call('ZADD', KEYS[6], int(due), ARGV[1])
else
  if call('XLEN', KEYS[3]) >= tonumber(ARGV[4]) then return 'full' end
  local entry = call('XADD', KEYS[3], '*', 't', ARGV[1], 'e', ARGV[5])
  call('HSET', KEYS[2], 'state', 'queued', 'lane', ARGV[3], 'stream', KEYS[3], 'entry', entry)
end
call('SET', KEYS[1], ARGV[2])
call('SADD', KEYS[5], ARGV[3])
call('XADD', KEYS[4], 'MAXLEN', 1, '*', 'w', '1')
return 'new'
