-- Nobody holds it: gone. Somebody does: told at the next renewal.
-- KEYS: role pointer, task, journal, spend, back, delay, what was given
-- ARGV: task id, group, ms the record is kept
local f = call('HMGET', KEYS[2], 'state', 'stream', 'entry')
if f[1] == 'held' then
  call('HSET', KEYS[2], 'cancel', '1')
  return 'told'
end
if f[1] == 'removed' then return 'removed' end
if f[1] == 'delayed' or f[1] == 'parked' then
  call('ZREM', KEYS[6], ARGV[1])
  call('HDEL', KEYS[2], 'body')
elseif f[1] == 'queued' or f[1] == 'back' then
  call('XACK', f[2], ARGV[2], f[3])
  call('XDEL', f[2], f[3])
  call('ZREM', KEYS[5], ARGV[1])
else
  return 'unknown'
end
call('HSET', KEYS[2], 'state', 'removed')
for i = 1, 4 do call('PEXPIRE', KEYS[i], ARGV[3]) end
call('PEXPIRE', KEYS[7], ARGV[3])
return 'removed'
