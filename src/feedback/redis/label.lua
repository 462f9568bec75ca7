-- Puts a label on a decision, if no later one is on it.
-- KEYS  1 the partition's index, 2 the decision; see remember.lua
-- ARGV  1 id, 2 expires at, 3 milliseconds until then, 4 record if it is not known, or '', 5 its verdict, 6 now,
--       7 label, 8 labeled at, 9 received at (both padded to one length, so that they compare as text)
-- Gives {0} if the decision is not known, else {1 if this label is in force or 2 if another is, the label in force, when
-- the first came, the verdict}.
local old = redis.call('HMGET', KEYS[2], 'r', 'l', 't', 'u', 'f', 'v')
if not old[1] then
  if ARGV[4] == '' then return {0} end
  redis.call('HSET', KEYS[2], 'r', ARGV[4], 'v', ARGV[5])
  old[6] = ARGV[5]
end
if old[2] and (old[3] > ARGV[8] or (old[3] == ARGV[8] and old[4] > ARGV[9])) then
  return {2, old[2], old[5], old[6]}
end
local first = old[5] or ARGV[9]
redis.call('HSET', KEYS[2], 'l', ARGV[7], 't', ARGV[8], 'u', ARGV[9], 'f', first)
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
redis.call('PEXPIRE', KEYS[1], math.max(1, math.floor(tonumber(last[2]) - tonumber(ARGV[6]))))
return {1, ARGV[7], first, old[6]}
