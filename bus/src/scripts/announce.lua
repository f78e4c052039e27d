-- A sign of life. Entries of others that ran out are swept on the way.
-- KEYS: pulse, grace, here   ARGV: lease ms, instance, presence, lanes key, lane member
local lease, now = tonumber(ARGV[1]), now_ms()
touch(KEYS[1], KEYS[2], now, lease)
local all = call('HGETALL', KEYS[3])
for i = 1, #all, 2 do
  local until_ms = tonumber(string.match(all[i + 1], '^(%d+) ') or '0')
  if until_ms < now then call('HDEL', KEYS[3], all[i]) end
end
call('HSET', KEYS[3], ARGV[2], int(now + 3 * lease) .. ' ' .. ARGV[3])
call('SADD', ARGV[4], ARGV[5])
return 1
