-- KEYS: pulse, grace, task, lease   ARGV: lease ms, epoch, task id
local lease, now = tonumber(ARGV[1]), now_ms()
touch(KEYS[1], KEYS[2], now, lease)
if not holds(KEYS[3], ARGV[2]) then return 'lost' end
call('ZADD', KEYS[4], int(now + lease), ARGV[3])
if call('HGET', KEYS[3], 'cancel') then return 'cancel' end
return 'held'
