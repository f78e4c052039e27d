-- Puts what a call really cost in the place of its reservation; a second time changes nothing.
-- KEYS: task spend, month spend   ARGV: reservation, actual
local reserved = tonumber(call('HGET', KEYS[1], ARGV[1]) or '')
if not reserved then return 0 end
call('HDEL', KEYS[1], ARGV[1])
for i = 1, 2 do
  local spent = tonumber(call('HGET', KEYS[i], 'spent') or 0)
  call('HSET', KEYS[i], 'spent', int(math.max(spent - reserved + tonumber(ARGV[2]), 0)))
end
return 1
