-- Answers 'lost', or 'held' and what the holder is to know: cancel, pause, frozen.
-- KEYS: pulse, grace, task, lease   ARGV: lease ms, epoch, task id, frozen key
local lease, now = tonumber(ARGV[1]), now_ms()
touch(KEYS[1], KEYS[2], now, lease)
if not holds(KEYS[3], ARGV[2]) then return 'lost' end
call('ZADD', KEYS[4], int(now + lease), ARGV[3]) -- lease
local said = 'held'
local f = call('HMGET', KEYS[3], 'cancel', 'pause')
if f[1] then said = said .. ' cancel' end
if f[2] then said = said .. ' pause' end
if call('EXISTS', ARGV[4]) == 1 then said = said .. ' frozen' end
return said
