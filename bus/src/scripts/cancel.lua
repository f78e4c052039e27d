-- Nobody holds it: gone. Somebody does: told at the next renewal.
-- KEYS: role pointer, task, journal, back   ARGV: task id, group, ms the record is kept
local f = call('HMGET', KEYS[2], 'state', 'stream', 'entry')
if f[1] == 'held' then
  call('HSET', KEYS[2], 'cancel', '1')
  return 'told'
end
if f[1] == 'removed' then return 'removed' end
if f[1] ~= 'queued' and f[1] ~= 'back' then return 'unknown' end
call('XACK', f[2], ARGV[2], f[3])
call('XDEL', f[2], f[3])
call('ZREM', KEYS[4], ARGV[1])
call('HSET', KEYS[2], 'state', 'removed')
for i = 1, 3 do call('PEXPIRE', KEYS[i], ARGV[3]) end
return 'removed'
