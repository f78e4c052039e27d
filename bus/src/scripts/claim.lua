-- The one way to become a holder: what was given back, then expired leases, then new entries. What
-- is due is queued first. While the team is frozen or the role paused nobody becomes one.
-- KEYS: pulse, grace, turn, idle, wake, dead, then for each lane: back, lease, urgent, normal,
--       background, delay
-- ARGV: lease ms, group, instance, ticket, lost tickets, task prefix, lanes key, largest entry,
--       bytes kept of a larger one, newest envelope version, frozen key, paused key, 1 to begin
--       only urgent tasks, crashes after which a task is given up, most tasks, then the lane members
-- Answers {'work', then for each task {task, epoch, lane, attempts, crashes, cancel, envelope}},
--         {'again'}, or {'none', ms until something may be had or -1, last wake id}.
local lease, group, instance, ticket, lost = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local max, cut, newest = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local most = tonumber(ARGV[15])
local now = now_ms()
local seen = call('MGET', KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[11], ARGV[12])
local grace = touch(KEYS[1], KEYS[2], now, lease, seen[1]) or tonumber(seen[2] or 0) or 0

-- The last lane is any host's. As a rule all else is empty: the host's own lanes, and what was given
-- back or waits for its time; one look tells.
local lanes, rare = {}, { 'EXISTS' }
for i = 16, #ARGV do
  local k = 6 + (i - 16) * 6
  local lane = { name = ARGV[i], back = KEYS[k + 1], lease = KEYS[k + 2],
    streams = { KEYS[k + 3], KEYS[k + 4], KEYS[k + 5] }, delay = KEYS[k + 6] }
  lanes[#lanes + 1] = lane
  rare[#rare + 1], rare[#rare + 2] = lane.back, lane.delay
  if i < #ARGV then
    rare[#rare + 1], rare[#rare + 2] = lane.lease, KEYS[k + 3]
    rare[#rare + 1], rare[#rare + 2] = KEYS[k + 4], KEYS[k + 5]
  end
end
local plain = call(unpack(rare)) == 0
if plain then lanes = { lanes[#lanes] } end

local function body_of(stream, entry)
  local found = call('XRANGE', stream, entry, entry)
  return found[1] and field(found[1][2], 'e') or ''
end

local function record(id, ...)
  return call('HMGET', ARGV[6] .. id, 'state', 'entry', 'stream', 'epoch', 'attempts', 'crashes',
    'cancel', ...)
end

local got = { 'work' }
local function hand_out(lane, id, f, epoch, attempts, crashes, body)
  got[#got + 1] = { id, epoch, lane.name, attempts, crashes, f[7] and 1 or 0,
    body or body_of(f[3], f[2]) }
end
local function enough() return #got > most end

-- Makes this instance the holder; `crashed` says that the last holder did not let go by itself.
local function take(lane, id, f, crashed, body)
  if not f[3] then
    call('ZREM', lane.lease, id)
    return
  end
  local epoch = int(math.max((tonumber(f[4] or 0) or 0) + 1, now))
  local attempts = (tonumber(f[5] or 0) or 0) + 1
  local crashes = (tonumber(f[6] or 0) or 0) + (crashed and 1 or 0)
  call('HSET', ARGV[6] .. id, 'state', 'held', 'epoch', epoch, 'holder', instance, 'ticket',
    ticket, 'attempts', attempts, 'crashes', crashes)
  call('ZADD', lane.lease, int(now + lease), id) -- lease
  hand_out(lane, id, f, epoch, attempts, crashes, body)
end

-- A claim whose answer never arrived is answered again: same holder, same epoch.
if lost ~= '' then
  for _, lane in ipairs(lanes) do
    for _, id in ipairs(call('ZRANGE', lane.lease, 0, -1)) do
      local f = record(id, 'holder', 'ticket')
      if f[1] == 'held' and f[8] == instance and f[9]
        and string.find(lost, ',' .. f[9] .. ',', 1, true) then
        call('ZADD', lane.lease, int(now + lease), id)
        hand_out(lane, id, f, f[4], tonumber(f[5]), tonumber(f[6]))
      end
    end
  end
  if got[2] then return got end
end

local function none(wait)
  if seen[4] ~= '1' then call('SET', KEYS[4], '1') end
  local last = call('XREVRANGE', KEYS[5], '+', '-', 'COUNT', 1)
  return { 'none', int(wait), last[1] and last[1][1] or '0-0' }
end

if seen[5] or seen[6] then return none(-1) end

-- Ids of a sorted set whose time has come, a few more than are wanted.
local function ripe(set, at, count)
  return call('ZRANGEBYSCORE', set, '-inf', at, 'LIMIT', 0, count or most + 3)
end

-- Until when what is timed has become due.
local due = '-inf'
due = int(now) -- timer

-- What is due goes to its stream; where that is full it stays until there is room.
for _, lane in ipairs(plain and {} or lanes) do
  for _, id in ipairs(ripe(lane.delay, due, 64)) do
    local key = ARGV[6] .. id
    local f = call('HMGET', key, 'state', 'stream', 'body', 'limit')
    if f[1] ~= 'delayed' then
      call('ZREM', lane.delay, id)
    elseif call('XLEN', f[2]) < tonumber(f[4]) then
      local entry = call('XADD', f[2], '*', 't', id, 'e', f[3])
      call('HSET', key, 'state', 'queued', 'entry', entry)
      call('HDEL', key, 'body', 'limit')
      call('ZREM', lane.delay, id)
    end
  end
end

for _, lane in ipairs(plain and {} or lanes) do
  for _, id in ipairs(enough() and {} or ripe(lane.back, int(now))) do
    if enough() then break end
    call('ZREM', lane.back, id)
    local f = record(id, 'released')
    take(lane, id, f, f[8] == 'died')
  end
end

if now >= grace then
  for _, lane in ipairs(lanes) do
    for _, id in ipairs(enough() and {} or ripe(lane.lease, due)) do
      if enough() then break end
      local f = record(id)
      local rest = rest_ms(tonumber(f[6] or 0) or 0, lease, tonumber(ARGV[14]))
      if rest > 0 and f[3] then
        call('HSET', ARGV[6] .. id, 'state', 'back', 'released', 'died')
        call('ZREM', lane.lease, id)
        call('ZADD', lane.back, int(now + rest), id)
      else
        take(lane, id, f, true)
      end
    end
  end
end

-- Why an entry that submit did not put here is dead: the nearest true sentence.
local function complaint(body)
  local good, value = pcall(cjson.decode, body)
  if not good then return 'message is not a valid envelope: not JSON, or cut off' end
  if type(value) ~= 'table' then return 'message is not a valid envelope: not an object' end
  local v = tonumber(value.v)
  if not v then return 'message is not a valid envelope: no version' end
  if v > newest then
    return 'message has version ' .. int(v) .. ', this team reads up to ' .. int(newest)
  end
  return 'no task record: the entry was not put here by submit'
end

-- Streams that had less than was asked of them: nothing can come while this runs.
local dry = {}
local function read(lane, stream, count)
  if dry[stream] then return {} end
  -- Who holds what is in the leases: the group keeps no list of its own.
  local read = { 'XREADGROUP', 'GROUP', group, group, 'COUNT', count, 'NOACK', 'STREAMS', stream,
    '>' }
  local found = redis.pcall(unpack(read))
  if found and found.err then
    if not string.find(found.err, 'NOGROUP', 1, true) then error(found.err) end
    call('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
    call('SADD', ARGV[7], lane.name)
    found = call(unpack(read))
  end
  local entries = found and found[1] and found[1][2] or {}
  dry[stream] = #entries < count
  return entries
end

local buried = 0
-- Judges one new entry: work for the caller, or a dead letter. Answers whether it was work.
local function judge(lane, stream, entry)
  local id, fields = entry[1], entry[2] or {}
  local size, body, task = 0, field(fields, 'e'), field(fields, 't')
  for i = 2, #fields, 2 do size = size + string.len(fields[i]) end
  if size <= max + 64 and body and task and string.len(task) <= 64 then
    local f = record(task)
    if f[1] == 'queued' and f[2] == id and f[3] == stream then
      take(lane, task, f, false, body)
      return true
    end
  end
  local reason
  if size > max + 64 then
    reason = 'message of ' .. int(size) .. ' bytes is larger than ' .. int(max)
  elseif not body then
    reason = 'entry has no envelope field'
  else
    reason = complaint(body)
  end
  buried = buried + (size > max and 16 or 1)
  dead_letter(KEYS[6], stream, group, id, reason, body or fields[2] or '', size, '', max, cut)
  return false
end

-- Weighted by turn, so that no class starves: of 8 turns one looks at background first, one at
-- normal. Which lane comes first changes with every turn, and for these two with every round of 8.
local function ways(turn)
  if ARGV[13] == '1' then return { 1 }, 1, #lanes, 1 end
  local order = { 1, 2, 3 }
  if turn % 8 == 0 then order = { 3, 2, 1 } elseif turn % 4 == 0 then order = { 2, 1, 3 } end
  if (turn + math.floor(turn / 8)) % 2 == 0 then return order, #lanes, 1, -1 end
  return order, 1, #lanes, 1
end

-- The one stream that may have something, where all others are known to have nothing.
local function last_one()
  local lane, stream
  for _, of in ipairs(lanes) do
    for class = 1, ARGV[13] == '1' and 1 or 3 do
      if not dry[of.streams[class]] then
        if stream then return nil end
        lane, stream = of, of.streams[class]
      end
    end
  end
  return lane, stream
end

-- Takes the next new task of this turn, or all that is wanted from the one stream that is left to
-- look at; answers how many. Whatever was read is judged: nobody else is given it.
local function take_new(turn)
  local lane, stream = last_one()
  if lane then
    local taken = 0
    for _, entry in ipairs(read(lane, stream, most + 1 - #got)) do
      if judge(lane, stream, entry) then taken = taken + 1 end
    end
    return taken
  end
  local order, from, to, step = ways(turn)
  for _, class in ipairs(order) do
    for l = from, to, step do
      local lane = lanes[l]
      local stream = lane.streams[class]
      local entry = read(lane, stream, 1)[1]
      while entry do
        if judge(lane, stream, entry) then return 1 end
        if buried >= 16 then return 0 end
        entry = read(lane, stream, 1)[1]
      end
    end
  end
  return 0
end

local before = tonumber(seen[3] or 0) or 0
local turn = before
while not enough() and buried < 16 do
  local taken = take_new(turn + 1)
  if taken == 0 then break end
  turn = turn + taken
end
if turn ~= before then call('SET', KEYS[3], int(turn)) end
if got[2] then return got end
if buried >= 16 then return { 'again' } end

local next_at = nil
local function sooner(at)
  if at and (not next_at or at < next_at) then next_at = at end
end
for _, lane in ipairs(lanes) do
  local expires = tonumber(call('ZRANGE', lane.lease, 0, 0, 'WITHSCORES')[2])
  sooner(expires and math.max(expires, grace)) -- timer
  -- What is due and was not taken above waits for room, not for a time.
  for _, set in ipairs({ lane.back, lane.delay }) do
    sooner(tonumber(call('ZRANGEBYSCORE', set, '(' .. int(now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]))
  end
end
return none(next_at and math.max(next_at - now, 0) or -1)
