-- Every task that could be worked on: queued, held, given back or due later.
-- KEYS: lanes   ARGV: work prefix, lease prefix, back prefix, delay prefix, then the classes
local seen, out = {}, {}
local function note(id)
  if id and not seen[id] then
    seen[id] = true
    out[#out + 1] = id
  end
end
for _, member in ipairs(call('SMEMBERS', KEYS[1])) do
  for _, prefix in ipairs({ ARGV[2], ARGV[3], ARGV[4] }) do
    for _, id in ipairs(call('ZRANGE', prefix .. member, 0, -1)) do note(id) end
  end
  for i = 5, #ARGV do
    for _, entry in ipairs(call('XRANGE', ARGV[1] .. member .. ':' .. ARGV[i], '-', '+')) do
      note(field(entry[2], 't'))
    end
  end
end
return out
