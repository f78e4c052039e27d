-- A parked task goes back to its queue, with the answer it waited for. Each park is resumed once. The queue and the
-- work message are the caller's: what the record says of them its role's own user may have written.
-- KEYS: task, journal, work stream, wake, lanes
-- ARGV: task id, epoch it was parked under, journal entry or '', lane member, work message
-- Answers 'queued', 'again' (it was resumed before), 'ended', or 'unknown'.
local f = call('HMGET', KEYS[1], 'state', 'parked')
local parked, meant = tonumber(f[2] or 0) or 0, tonumber(ARGV[2])
if not f[1] then return 'unknown' end
if f[1] == 'finished' or f[1] == 'removed' or f[1] == 'dead' then return 'ended' end
-- An older state of this Redis: it does not know of that park.
if parked < meant then return 'unknown' end
if parked > meant or f[1] ~= 'parked' then return 'again' end
if ARGV[3] ~= '' then call('XADD', KEYS[2], '*', 'j', ARGV[3]) end
local entry = call('XADD', KEYS[3], '*', 't', ARGV[1], 'e', ARGV[5])
call('HSET', KEYS[1], 'state', 'queued', 'lane', ARGV[4], 'stream', KEYS[3], 'entry', entry)
call('HDEL', KEYS[1], 'body')
call('SADD', KEYS[5], ARGV[4])
call('XADD', KEYS[4], 'MAXLEN', 1, '*', 'w', '1')
return 'queued'
