-- The settings registry of the CPI of 2016 as it was seen to behave: settings are files on WebDAV below /metadata/,
-- and an id exists when its folder does.
local json = require "cjson"

local method = ngx.req.get_method()
local id, rest = ngx.var.uri:match("^/registry/instances/([%w_-]+)(.*)$")

local function answer(status, text)
  ngx.status = status
  ngx.header["Content-Type"] = "application/json"
  ngx.say(text)
end

if not id then
  return answer(400, "Error parsing URI")
end
local folder = "/metadata/" .. id .. "/"
local settings = folder .. "settings"
local of_settings = rest == "" or rest == "/" or rest == "/settings"

local function exists()
  return ngx.location.capture(folder, { method = ngx.HTTP_HEAD }).status == 200
end

if method == "PUT" then
  if not of_settings then
    return answer(404, "Id '" .. id .. "' not found")
  end
  return ngx.exec(settings) -- 201 for a new file, 204 for one that was there; no body
end
if method == "GET" then
  if of_settings then
    local found = ngx.location.capture(settings)
    if found.status == 200 then
      return answer(200, json.encode { settings = found.body, status = "ok" })
    end
    if exists() then
      return answer(404, json.encode { settings = "{}", status = "error" })
    end
  end
  return answer(404, "Id '" .. id .. "' not found")
end
if method == "HEAD" then
  ngx.status = exists() and 200 or 404
  return ngx.exit(ngx.status)
end
if method == "POST" then
  if exists() then
    return answer(409, "Id '" .. id .. "' already exists")
  end
  ngx.req.read_body()
  ngx.req.set_body_data("") -- MKCOL takes none
  ngx.status = ngx.location.capture(folder, { method = ngx.HTTP_MKCOL }).status
  return ngx.say("")
end
if method == "DELETE" then
  if not exists() then
    return answer(404, "Id '" .. id .. "' not found")
  end
  local target = (rest == "" or rest == "/") and folder or folder .. rest:sub(2)
  ngx.status = ngx.location.capture(target, { method = ngx.HTTP_DELETE }).status
  return ngx.status == 204 and ngx.exit(204) or ngx.say("")
end
answer(405, "method not allowed")
