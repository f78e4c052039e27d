-- The holder lets go: the next claimer has it at once, before anything new, and it is no crash.
-- KEYS: task, lease, back, wake   ARGV: epoch, task id
if not holds(KEYS[1], ARGV[1]) then return 'fenced' end
call('HSET', KEYS[1], 'state', 'back', 'released', 'given')
call('ZREM', KEYS[2], ARGV[2])
call('ZADD', KEYS[3], int(now_ms()), ARGV[2])
call('XADD', KEYS[4], 'MAXLEN', 1, '*', 'w', '1')
return 'ok'
