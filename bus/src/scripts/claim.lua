-- The one way to become a holder: what was given back, then expired leases, then new entries. What
-- is due is queued first. While the team is frozen or the role paused nobody becomes one.
-- KEYS: pulse, grace, turn, wake, dead, then for each lane: back, lease, urgent, normal, background,
--       delay
-- ARGV: lease ms, group, instance, ticket, lost tickets, task prefix, lanes key, largest entry,
--       bytes kept of a larger one, newest envelope version, frozen key, paused key, 1 to begin
--       only urgent tasks, crashes after which a task is given up, then the lane members
-- Answers {'work', task, epoch, lane, stream, attempts, crashes, cancel, envelope},
--         {'again'}, or {'none', ms until something may be had or -1, last wake id}.
local lease, group, instance, ticket, lost = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local max, cut, newest = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local now = now_ms()
touch(KEYS[1], KEYS[2], now, lease)

local lanes = {}
for i = 15, #ARGV do
  local k = 5 + (i - 15) * 6
  lanes[#lanes + 1] = { name = ARGV[i], back = KEYS[k + 1], lease = KEYS[k + 2],
    streams = { KEYS[k + 3], KEYS[k + 4], KEYS[k + 5] }, delay = KEYS[k + 6] }
end

local function body_of(stream, entry)
  local found = call('XRANGE', stream, entry, entry)
  return found[1] and field(found[1][2], 'e') or ''
end

local function work(lane, id, f, attempts, crashes, body)
  return { 'work', id, f.epoch, lane.name, f.stream, attempts, crashes, f.cancel and 1 or 0, body }
end

-- Makes this instance the holder; `crashed` says that the last holder did not let go by itself.
local function take(lane, id, crashed, body)
  local key = ARGV[6] .. id
  local f = call('HMGET', key, 'epoch', 'attempts', 'crashes', 'stream', 'entry', 'cancel')
  call('ZREM', lane.back, id)
  if not f[4] then
    call('ZREM', lane.lease, id)
    return nil
  end
  local epoch = int(math.max((tonumber(f[1] or 0) or 0) + 1, now))
  local attempts = (tonumber(f[2] or 0) or 0) + 1
  local crashes = (tonumber(f[3] or 0) or 0) + (crashed and 1 or 0)
  call('HSET', key, 'state', 'held', 'epoch', epoch, 'holder', instance, 'ticket', ticket,
    'attempts', attempts, 'crashes', crashes)
  call('ZADD', lane.lease, int(now + lease), id) -- lease
  return work(lane, id, { epoch = epoch, stream = f[4], cancel = f[6] }, attempts, crashes,
    body or body_of(f[4], f[5]))
end

-- A claim whose answer never arrived is answered again: same holder, same epoch.
if lost ~= '' then
  for _, lane in ipairs(lanes) do
    for _, id in ipairs(call('ZRANGE', lane.lease, 0, -1)) do
      local key = ARGV[6] .. id
      local f = call('HMGET', key, 'ticket', 'holder', 'state', 'epoch', 'attempts', 'crashes',
        'stream', 'entry', 'cancel')
      if f[3] == 'held' and f[2] == instance and f[1]
        and string.find(lost, ',' .. f[1] .. ',', 1, true) then
        call('ZADD', lane.lease, int(now + lease), id)
        return work(lane, id, { epoch = f[4], stream = f[7], cancel = f[9] }, tonumber(f[5]),
          tonumber(f[6]), body_of(f[7], f[8]))
      end
    end
  end
end

local function none(wait)
  local last = call('XREVRANGE', KEYS[4], '+', '-', 'COUNT', 1)
  return { 'none', int(wait), last[1] and last[1][1] or '0-0' }
end

if call('EXISTS', ARGV[11], ARGV[12]) > 0 then return none(-1) end

-- Until when what is timed has become due.
local due = '-inf'
due = int(now) -- timer

-- What is due goes to its stream; where that is full it stays until there is room.
for _, lane in ipairs(lanes) do
  for _, id in ipairs(call('ZRANGEBYSCORE', lane.delay, '-inf', due, 'LIMIT', 0, 64)) do
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

for _, lane in ipairs(lanes) do
  for _, id in ipairs(call('ZRANGEBYSCORE', lane.back, '-inf', int(now), 'LIMIT', 0, 4)) do
    local got = take(lane, id, call('HGET', ARGV[6] .. id, 'released') == 'died')
    if got then return got end
  end
end

local grace = tonumber(call('GET', KEYS[2]) or 0) or 0
if now >= grace then
  for _, lane in ipairs(lanes) do
    for _, id in ipairs(call('ZRANGEBYSCORE', lane.lease, '-inf', due, 'LIMIT', 0, 4)) do
      local key = ARGV[6] .. id
      local rest = rest_ms(tonumber(call('HGET', key, 'crashes') or 0) or 0, lease, tonumber(ARGV[14]))
      if rest > 0 then
        call('HSET', key, 'state', 'back', 'released', 'died')
        call('ZREM', lane.lease, id)
        call('ZADD', lane.back, int(now + rest), id)
      else
        local got = take(lane, id, true)
        if got then return got end
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

local function read_one(lane, stream)
  local read = { 'XREADGROUP', 'GROUP', group, group, 'COUNT', 1, 'STREAMS', stream, '>' }
  local got = redis.pcall(unpack(read))
  if got and got.err then
    if not string.find(got.err, 'NOGROUP', 1, true) then error(got.err) end
    call('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
    call('SADD', ARGV[7], lane.name)
    got = call(unpack(read))
  end
  return got and got[1] and got[1][2][1] or nil
end

local buried = 0
-- Judges one new entry: work for the caller, or a dead letter.
local function judge(lane, stream, entry)
  local id, fields = entry[1], entry[2] or {}
  local size, body, task = 0, field(fields, 'e'), field(fields, 't')
  for i = 2, #fields, 2 do size = size + string.len(fields[i]) end
  local key = task and string.len(task) <= 64 and ARGV[6] .. task
  if size <= max + 64 and body and key then
    local f = call('HMGET', key, 'state', 'entry', 'stream')
    if f[1] == 'queued' and f[2] == id and f[3] == stream then
      return take(lane, task, false, body)
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
  dead_letter(KEYS[5], stream, group, id, reason, body or fields[2] or '', size, '', max, cut)
  return nil
end

-- Weighted so that no class starves: every 8th claim looks at background first, every 4th at normal.
local turn = tonumber(call('GET', KEYS[3]) or 0) + 1
local order = { 1, 2, 3 }
if turn % 8 == 0 then order = { 3, 2, 1 } elseif turn % 4 == 0 then order = { 2, 1, 3 } end
if ARGV[13] == '1' then order = { 1 } end
local from, to, step = 1, #lanes, 1
if turn % 2 == 0 then from, to, step = #lanes, 1, -1 end
for _, class in ipairs(order) do
  for l = from, to, step do
    local lane = lanes[l]
    local entry = read_one(lane, lane.streams[class])
    while entry do
      local got = judge(lane, lane.streams[class], entry)
      if got then
        call('SET', KEYS[3], int(turn))
        return got
      end
      if buried >= 16 then return { 'again' } end
      entry = read_one(lane, lane.streams[class])
    end
  end
end

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
