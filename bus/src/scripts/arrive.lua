-- A connection was made. Another run id than last time means that Redis was restarted or replaced.
-- KEYS: pulse, grace, incarnation   ARGV: lease ms, run id
local lease, now = tonumber(ARGV[1]), now_ms()
local old = call('GET', KEYS[3])
if old and old ~= ARGV[2] then
  call('SET', KEYS[2], int(now + lease), 'PX', int(lease * 2))
  call('SET', KEYS[1], int(now))
end
if old ~= ARGV[2] then call('SET', KEYS[3], ARGV[2]) end
touch(KEYS[1], KEYS[2], now, lease)
return 1
