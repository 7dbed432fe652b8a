import KVBlocks

/// What was measured on this machine.
package struct StudyMeasurements: Sendable {
  func attentionCost(_ n: Int) -> Double? { nil }
  func byteCost(_ n: Int) -> Double? { nil }
  func lookupCost(_ n: Int, prefillRate: Int) -> Double? { nil }
  var json: JSONValue { .null }
}
