-- A task leaves the bus whatever its state, with all that is kept of it: as if it had never come. An entry that is not
-- the task's own stays.
-- KEYS: role pointer, task, journal, spend, what was given, then for each lane it may be on: lease, back, delay and
--       a stream for each class
-- ARGV: task id, group
-- Answers 'ok', or 'spoilt': what its record said of its place was not true.
local f = call('HMGET', KEYS[2], 'stream', 'entry')
local place, why = nil, nil
-- One that waits for its time, or never came, is in no stream.
if f[2] then place, why = own_place(6, ARGV[1], f[1], f[2]) end
if place then leave(place, ARGV[2]) end
for i = 6, #KEYS, 6 do
  for k = i, i + 2 do call('ZREM', KEYS[k], ARGV[1]) end
end
for i = 1, 5 do call('DEL', KEYS[i]) end
return why == 'spoilt' and why or 'ok'
