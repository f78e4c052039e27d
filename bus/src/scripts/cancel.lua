-- Nobody holds it: gone. Somebody does: told at the next renewal. An entry that is not the task's own stays.
-- KEYS: role pointer, task, journal, spend, what was given, then for each lane it may be on: lease, back, delay and
--       a stream for each class
-- ARGV: task id, group, ms the record is kept
-- Answers 'told', 'removed', 'spoilt' (removed; what its record said of its place was not true), or 'unknown'.
local f = call('HMGET', KEYS[2], 'state', 'stream', 'entry')
if f[1] == 'held' then
  call('HSET', KEYS[2], 'cancel', '1')
  return 'told'
end
if f[1] == 'removed' then return 'removed' end
local place, why = nil, nil
if f[1] == 'queued' or f[1] == 'back' then
  place, why = own_place(6, ARGV[1], f[2], f[3])
elseif f[1] ~= 'delayed' and f[1] ~= 'parked' then
  return 'unknown'
end
if place then leave(place, ARGV[2]) end
for i = 6, #KEYS, 6 do
  call('ZREM', KEYS[i + 1], ARGV[1])
  call('ZREM', KEYS[i + 2], ARGV[1])
end
call('HDEL', KEYS[2], 'body')
call('HSET', KEYS[2], 'state', 'removed')
for i = 1, 5 do call('PEXPIRE', KEYS[i], ARGV[3]) end
return why == 'spoilt' and why or 'removed'
