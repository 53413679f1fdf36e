-- The health of an EntitlementOverride. Argo CD gives `obj`, and no library but the base and `table`.
-- It runs by itself, so what is alike for all kinds stands in each of the eight scripts.
local hs = { status = "Progressing", message = "the operator has not seen this state of the override yet" }
if obj.metadata.deletionTimestamp ~= nil then
  hs.message = "the override is being deleted"
  return hs
end
local status = obj.status or {}
if status.observedGeneration ~= obj.metadata.generation then
  return hs
end
local ready
for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "Ready" then
    ready = condition
  end
end
if ready == nil then
  return hs
end

-- What comes by itself: an object that the same sync, or another tool, is about to make, or the operator's next evaluation.
local coming = { NamespaceMissing = true, Deferred = true }
if ready.status ~= "True" then
  hs.status = coming[ready.reason] and "Progressing" or "Degraded"
  -- It waits for people, who may take two weeks, and not for anything that a sync could wait for.
  if ready.reason == "ApprovalRequired" then
    hs.status = "Suspended"
  end
  hs.message = ready.reason .. ": " .. ready.message
  return hs
end

hs.status = status.phase == "Suspended" and "Suspended" or "Healthy"
hs.message = status.phase .. ": " .. ready.message
return hs
