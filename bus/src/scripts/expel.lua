-- A task leaves the bus whatever its state, with all that is kept of it: as if it had never come.
-- KEYS: role pointer, task, journal, spend, lease, back, delay, what was given   ARGV: task id, group
local f = call('HMGET', KEYS[2], 'stream', 'entry')
if f[1] and f[2] then
  call('XACK', f[1], ARGV[2], f[2])
  call('XDEL', f[1], f[2])
end
for i = 5, 7 do call('ZREM', KEYS[i], ARGV[1]) end
for i = 1, 4 do call('DEL', KEYS[i]) end
call('DEL', KEYS[8])
return 1
