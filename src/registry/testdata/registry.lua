-- The settings registry of the CPI of 2016 as it was seen to behave: settings are files on WebDAV under /metadata/.
local id, rest = ngx.var.uri:match("^/registry/instances/([%w_-]+)(.*)$")
if not id then
  ngx.status = 400
  return ngx.say("Error parsing URI")
end
local file = "/metadata/" .. id .. "/settings"
local method = ngx.req.get_method()
if rest ~= "" and rest ~= "/" and rest ~= "/settings" then
  ngx.status = 404
  return ngx.say("Id '" .. id .. "' not found")
end
if method == "PUT" then
  return ngx.exec(file) -- 201 for a new file, 204 for one that was there; no body
end
if method == "GET" then
  local res = ngx.location.capture(file)
  if res.status ~= 200 then
    ngx.status = 404
    return ngx.say("Id '" .. id .. "' not found")
  end
  local text = res.body:gsub('[%z\1-\31\\"]', function(c) return string.format("\\u%04x", c:byte()) end)
  ngx.header["Content-Type"] = "application/json"
  return ngx.say('{"settings": "' .. text .. '", "status": "ok"}')
end
if method == "DELETE" then
  local res = ngx.location.capture(file, { method = ngx.HTTP_DELETE })
  ngx.status = res.status == 204 and 204 or 404
  return ngx.exit(ngx.status)
end
ngx.status = 405
ngx.say("method not allowed")
