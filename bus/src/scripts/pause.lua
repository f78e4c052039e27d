-- A person pauses one task: out of its queue where nobody holds it, else its holder is told at the
-- next renewal. With 0 the holder is no longer told.
-- KEYS: task, back   ARGV: task id, group, 1 or 0
-- Answers {'parked', epoch it is parked under}, {'told'}, or {'none'}.
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
local found = call('XRANGE', f[2], f[3], f[3])
local body = found[1] and field(found[1][2], 'e') or ''
local epoch = int(math.max((tonumber(f[4] or 0) or 0) + 1, now_ms()))
call('XACK', f[2], ARGV[2], f[3])
call('XDEL', f[2], f[3])
call('ZREM', KEYS[2], ARGV[1])
call('HSET', KEYS[1], 'state', 'parked', 'parked', epoch, 'paused', epoch, 'epoch', epoch, 'body', body)
return { 'parked', epoch }
