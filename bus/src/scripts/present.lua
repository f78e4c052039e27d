-- KEYS: lanes   ARGV: prefix of the presence keys
-- Answers for each sign of life the role in whose key it lies, and what it says.
local seen, out, now = {}, {}, now_ms()
for _, member in ipairs(call('SMEMBERS', KEYS[1])) do
  local role = string.match(member, '^([^:]+):')
  if role and not seen[role] then
    seen[role] = true
    for _, value in ipairs(call('HVALS', ARGV[1] .. role)) do
      local until_ms, text = string.match(value, '^(%d+) (.*)$')
      if until_ms and tonumber(until_ms) >= now then
        out[#out + 1], out[#out + 2] = role, text
      end
    end
  end
end
return out
