-- How many entries of each stream nobody holds. One row for each stream that exists.
-- KEYS: lanes   ARGV: work prefix, lease prefix, task prefix, then the classes
local rows = {}
for _, member in ipairs(call('SMEMBERS', KEYS[1])) do
  local role = string.match(member, '^([^:]+):')
  local held = {}
  for _, id in ipairs(role and call('ZRANGE', ARGV[2] .. member, 0, 999) or {}) do
    local stream = call('HGET', ARGV[3] .. role .. ':' .. id, 'stream')
    if stream then held[stream] = (held[stream] or 0) + 1 end
  end
  for i = 4, #ARGV do
    local stream = ARGV[1] .. member .. ':' .. ARGV[i]
    if role and call('EXISTS', stream) == 1 then
      rows[#rows + 1] = { role, ARGV[i], call('XLEN', stream) - (held[stream] or 0) }
    end
  end
end
return rows
