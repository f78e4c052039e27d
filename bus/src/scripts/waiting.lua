-- How many entries of each stream nobody holds. One row for each stream that exists.
-- KEYS: lanes   ARGV: group, work prefix, back prefix, task prefix, then the classes
local rows = {}
for _, member in ipairs(call('SMEMBERS', KEYS[1])) do
  local role = string.match(member, '^([^:]+):')
  local back = {}
  for _, id in ipairs(role and call('ZRANGE', ARGV[3] .. member, 0, 999) or {}) do
    local stream = call('HGET', ARGV[4] .. role .. ':' .. id, 'stream')
    if stream then back[stream] = (back[stream] or 0) + 1 end
  end
  for i = 5, #ARGV do
    local stream = ARGV[2] .. member .. ':' .. ARGV[i]
    if role and call('EXISTS', stream) == 1 then
      local pending = redis.pcall('XPENDING', stream, ARGV[1])
      local taken = pending.err and 0 or tonumber(pending[1])
      rows[#rows + 1] = { role, ARGV[i], call('XLEN', stream) - taken + (back[stream] or 0) }
    end
  end
end
return rows
