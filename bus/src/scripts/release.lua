-- The daemon saw a process die: what it held is free, at once the first time, after a rest later.
-- KEYS: lanes   ARGV: instance, lease prefix, back prefix, task prefix, wake prefix, lease ms, crashes
--               after which a task is given up, the one lane to look at or nothing for all
local freed, now = {}, now_ms()
for _, member in ipairs(ARGV[8] ~= '' and { ARGV[8] } or call('SMEMBERS', KEYS[1])) do
  local role = string.match(member, '^([^:]+):')
  local lease, back = ARGV[2] .. member, ARGV[3] .. member
  for _, id in ipairs(role and call('ZRANGE', lease, 0, -1) or {}) do
    local task = ARGV[4] .. role .. ':' .. id
    local f = call('HMGET', task, 'state', 'holder', 'crashes')
    if f[1] == 'held' and f[2] == ARGV[1] then
      call('HSET', task, 'state', 'back', 'released', 'died')
      call('ZREM', lease, id)
      local rest = rest_ms(tonumber(f[3] or 0) or 0, tonumber(ARGV[6]), tonumber(ARGV[7]))
      call('ZADD', back, int(now + rest), id)
      call('XADD', ARGV[5] .. role, 'MAXLEN', 1, '*', 'w', '1')
      freed[#freed + 1] = id
    end
  end
end
return freed
