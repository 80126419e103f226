-- One request of each visitor, made before the clock starts, and then no more.
-- Arguments: how many visitors there are, a path that ends in `anonymous_id=`, and headers.

local requests, turn = {}, 0

function init(arguments)
  local headers = {}
  for number = 3, #arguments do
    local name, value = arguments[number]:match("^([%w-]+): (.*)$")
    headers[name] = value
  end
  for number = 1, tonumber(arguments[1]) do
    requests[number] = wrk.format("GET", string.format("%s%08x-0000-4000-8000-000000000000", arguments[2], number), headers)
  end
end

function request()
  turn = turn + 1
  if turn >= #requests then wrk.thread:stop() end
  return requests[math.min(turn, #requests)]
end

function done(summary)
  local failed = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status
    + summary.errors.timeout
  io.write(string.format('\n{"requests": %d, "microseconds": %d, "failed": %d}\n',
    summary.requests, summary.duration, failed))
end
