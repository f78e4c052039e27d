-- Compares this Redis with what the ledger knows of it: up to which entry each out stream was
-- folded. Everything a ledger has folded was here before, and only what it has folded is deleted.
-- KEYS: owner, settled, incarnation, lanes
-- ARGV: home, 1 when the ledger took a Redis for its own, then for each stream: out key, dead key, last folded entry
-- Answers {'new'} (nobody's yet), {'other'}, {'older', out key, last entry here}, {'newer', out key, last entry
-- deleted here} or {'same'}, after which workers are let in.
local owner = call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return { 'other' } end
if not owner and call('EXISTS', KEYS[4]) == 0 then return { 'new' } end
if owner and ARGV[2] ~= '1' then return { 'newer', '', '' } end

local function parts(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms or 0), tonumber(seq or 0)
end
local function before(a, b)
  local am, as = parts(a)
  local bm, bs = parts(b)
  return am < bm or (am == bm and as < bs)
end
-- An entry that nobody could read went to the dead letters, and the ledger never saw it.
local function dead(key, stream, id)
  for _, entry in ipairs(call('XREVRANGE', key, '+', '-', 'COUNT', 200)) do
    if field(entry[2], 'stream') == stream and field(entry[2], 'entry') == id then return true end
  end
  return false
end

for i = 3, #ARGV, 3 do
  local stream, folded = ARGV[i], ARGV[i + 2]
  local last, deleted = '0-0', '0-0'
  if call('EXISTS', stream) == 1 then
    local info = call('XINFO', 'STREAM', stream)
    last = field(info, 'last-generated-id') or last
    deleted = field(info, 'max-deleted-entry-id') or deleted
  end
  local verdict = nil
  if before(last, folded) then
    verdict = { 'older', stream, last }
  elseif before(folded, deleted) and not dead(ARGV[i + 1], stream, deleted) then
    verdict = { 'newer', stream, deleted }
  end
  if verdict then
    call('SET', KEYS[2], 'a person decides')
    return verdict
  end
end
if not owner then return { 'new' } end
call('SET', KEYS[2], call('GET', KEYS[3]))
return { 'same' }
