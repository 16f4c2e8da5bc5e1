-- Sends prepared requests, each thread from another place in the list, and counts the answers.
-- usage: wrk ... -s replay.lua URL -- FILE [PAUSE_MS]
-- FILE has for each request its length in bytes, a line end, and the request as it is sent.

local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

function init(arguments)
  requests, statuses = {}, {}
  local file = assert(io.open(arguments[1], "rb"))
  local length = file:read("*n", "*l")
  while length do
    table.insert(requests, file:read(length))
    length = file:read("*n", "*l")
  end
  file:close()
  at = (number * 7919) % #requests
  local mean = tonumber(arguments[2] or 0)
  if mean > 0 then
    -- As people come who don't know of each other. wrk looks once for this function.
    function delay()
      return math.floor(-mean * math.log(1 - math.random()))
    end
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function response(status)
  statuses[status] = (statuses[status] or 0) + 1
end

function done(summary, latency)
  local counts = {}
  for _, thread in ipairs(threads) do
    for status, count in pairs(thread:get("statuses")) do
      counts[status] = (counts[status] or 0) + count
    end
  end
  local parts = {}
  for status, count in pairs(counts) do
    table.insert(parts, string.format('"%d": %d', status, count))
  end
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %.6f, "statuses": {%s},'
      .. ' "unanswered": {"refused": %d, "broken": %d, "too late": %d},'
      .. ' "p50_ms": %.3f, "p95_ms": %.3f, "p99_ms": %.3f, "longest_ms": %.3f}\n',
    summary.requests, summary.duration / 1e6, table.concat(parts, ", "),
    errors.connect, errors.read + errors.write, errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3,
    latency.max / 1e3))
end
