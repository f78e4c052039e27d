-- Every task that could be worked on: queued, held, given back or due later.
-- KEYS: lanes   ARGV: work prefix, lease prefix, back prefix, delay prefix, then the classes
-- Answers for each the role of the lane it was found on, and its id, as that role's own user may have written it.
local seen, out = {}, {}
local function note(role, id)
  if id and not seen[role .. ':' .. id] then
    seen[role .. ':' .. id] = true
    out[#out + 1], out[#out + 2] = role, id
  end
end
for _, member in ipairs(call('SMEMBERS', KEYS[1])) do
  local role = string.match(member, '^([^:]+):') or ''
  for _, prefix in ipairs({ ARGV[2], ARGV[3], ARGV[4] }) do
    for _, id in ipairs(call('ZRANGE', prefix .. member, 0, -1)) do note(role, id) end
  end
  for i = 5, #ARGV do
    for _, entry in ipairs(call('XRANGE', ARGV[1] .. member .. ':' .. ARGV[i], '-', '+')) do
      note(role, field(entry[2], 't'))
    end
  end
end
return out
