-- Remembers one decision, once, and forgets what is too old or too much in its partition.
-- KEYS  1 the partition's index (sorted set: id, by when it expires), 2 the decision (hash); one slot
-- ARGV  1 id, 2 expires at, 3 milliseconds until then, 4 record, 5 verdict, 6 now, 7 decisions at most,
--       8 what the keys of decisions begin with. Times are the caller's, in milliseconds.
-- Fields of a decision: r record, v verdict, and once it is labeled: l label, t labeled at, u received at (as they are
-- compared), f when the first label came.
if redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('HSET', KEYS[2], 'r', ARGV[4], 'v', ARGV[5])
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
  redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[6])
local excess = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[7])
if excess > 0 then
  -- The next to expire go first: those without a label.
  local gone = redis.call('ZPOPMIN', KEYS[1], excess)
  for i = 1, #gone, 2 do redis.call('DEL', ARGV[8] .. gone[i]) end
end
-- The index lives as long as the last of its decisions.
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if last[2] then redis.call('PEXPIRE', KEYS[1], math.max(1, math.floor(tonumber(last[2]) - tonumber(ARGV[6])))) end
return 1
