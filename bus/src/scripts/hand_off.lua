-- A parked task moves to another role with its journal and is queued there. Each park is left once.
-- KEYS: role pointer, record of the old role, of the new one, journal of the old role, of the new
--       one, work stream, wake, idle, lanes
-- ARGV: task id, epoch it was parked under, journal entry, new role, its lane member, work message
-- Answers as resume does: 'queued', 'again', 'ended', or 'unknown'.
local moved = call('GET', KEYS[1]) == ARGV[4]
local f = call('HMGET', moved and KEYS[3] or KEYS[2], 'state', 'parked')
local parked, meant = tonumber(f[2] or 0) or 0, tonumber(ARGV[2])
if not f[1] then return 'unknown' end
if f[1] == 'finished' or f[1] == 'removed' or f[1] == 'dead' then return 'ended' end
if parked < meant then return 'unknown' end
if parked > meant or moved or f[1] ~= 'parked' then return 'again' end
call('RENAME', KEYS[2], KEYS[3])
if call('EXISTS', KEYS[4]) == 1 then call('RENAME', KEYS[4], KEYS[5]) end
call('SET', KEYS[1], ARGV[4])
call('XADD', KEYS[5], '*', 'j', ARGV[3])
local entry = call('XADD', KEYS[6], '*', 't', ARGV[1], 'e', ARGV[6])
call('HSET', KEYS[3], 'state', 'queued', 'lane', ARGV[5], 'stream', KEYS[6], 'entry', entry)
call('HDEL', KEYS[3], 'body')
call('SADD', KEYS[9], ARGV[5])
wake_idle(KEYS[7], KEYS[8])
return 'queued'
