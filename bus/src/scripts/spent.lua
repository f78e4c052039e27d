-- What the ledger knows was spent in a month or by a task. The sum here is never below it afterwards and is never
-- lowered; until it was said of the month, `reserve` lets no call through. Answers 1 when something was written.
-- KEYS: month spend or task spend   ARGV: spent as the ledger knows it, ms it is kept
local f = call('HMGET', KEYS[1], 'spent', 'known')
local spent, least = tonumber(f[1] or 0) or 0, tonumber(ARGV[1])
if f[2] and spent >= least then return 0 end
call('HSET', KEYS[1], 'spent', int(math.max(spent, least)), 'known', '1')
call('PEXPIRE', KEYS[1], ARGV[2])
return 1
