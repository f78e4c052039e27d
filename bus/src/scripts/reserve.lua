-- Takes the money before the call, so that a call lost in flight stays charged. A limit that was told
-- to the task holds in the place of the caller's. A month of which the ledger has not spoken to this Redis
-- has no known sum: nothing is let through until it has.
-- KEYS: task spend, month spend   ARGV: reservation, amount, task cap, month cap, ms each is kept
local task = tonumber(call('HGET', KEYS[1], 'spent') or 0)
local sum = call('HMGET', KEYS[2], 'spent', 'known')
local month = tonumber(sum[1] or 0)
if not sum[2] then return { 'unknown', '0', '0' } end
local amount = tonumber(ARGV[2])
local cap = tonumber(call('HGET', KEYS[1], 'cap') or ARGV[3])
if task + amount > cap then return { 'task', int(task), int(cap) } end
if month + amount > tonumber(ARGV[4]) then return { 'month', int(month), '0' } end
call('HSET', KEYS[1], 'spent', int(task + amount), ARGV[1], int(amount))
call('HSET', KEYS[2], 'spent', int(month + amount))
for i = 1, 2 do call('PEXPIRE', KEYS[i], ARGV[5]) end
return { 'ok', '0', '0' }
