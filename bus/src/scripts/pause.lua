-- A person pauses one task: out of its queue where nobody holds it, else its holder is told at the
-- next renewal. With 0 the holder is no longer told. An entry that is not the task's own is neither read nor taken.
-- KEYS: task, then for each lane it may be on: lease, back, delay and a stream for each class
-- ARGV: task id, group, 1 or 0
-- Answers {'parked', epoch it is parked under, 'spoilt' where what its record said of its place was not true}, {'told'},
-- or {'none'}.
if ARGV[3] == '0' then
  call('HDEL', KEYS[1], 'pause')
  return { 'none' }
end
local f = call('HMGET', KEYS[1], 'state', 'stream', 'entry', 'epoch', 'parked', 'paused')
if f[1] == 'held' then
  call('HSET', KEYS[1], 'pause', '1')
  return { 'told' }
end
-- Said again. One that its holder parked says so in its own report.
if f[1] == 'parked' and f[5] == f[6] then return { 'parked', f[5] } end
if f[1] ~= 'queued' and f[1] ~= 'back' then return { 'none' } end
local place, why = own_place(2, ARGV[1], f[2], f[3])
local body = place and place.body or ''
local epoch = int(math.max((tonumber(f[4] or 0) or 0) + 1, now_ms()))
if place then leave(place, ARGV[2]) end
for i = 2, #KEYS, 6 do call('ZREM', KEYS[i + 1], ARGV[1]) end
call('HSET', KEYS[1], 'state', 'parked', 'parked', epoch, 'paused', epoch, 'epoch', epoch, 'body', body)
return { 'parked', epoch, why or '' }
