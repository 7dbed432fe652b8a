/// Where a server's memory is at one moment, in rows; counted, never estimated.
package struct MemoryAccount: Hashable, Sendable {
  /// Rows that hold a token.
  package var used = 0
  /// Rows that are taken and will hold a token of their request later.
  package var reserved = 0
  /// Rows that are taken and never hold one: wasted inside.
  package var inside = 0
  /// Rows that nobody has.
  package var free: Int
  /// Those of the free rows that are wasted outside: they would do for the request that waits first, and lie in no
  /// hole that it fits. All of them or none.
  package var outside = 0
  /// Requests that hold memory.
  package var held = 0
  /// Rows that requests hold together, each with the shared ones counted for each that has them.
  package var seen = 0

  package init(capacityTokenCount: Int) { free = capacityTokenCount }

  package var taken: Int { used + reserved + inside }

  /// What does not add up; nil where all does.
  package func flaw(capacityTokenCount: Int) -> String? {
    if used + reserved + inside + free != capacityTokenCount {
      return "\(used) used + \(reserved) reserved + \(inside) inside + \(free) free is not \(capacityTokenCount)"
    }
    if min(used, reserved, inside, free) < 0 { return "less than nothing: \(self)" }
    if outside != 0, outside != free { return "\(outside) wasted outside of \(free) free" }
    if seen < used { return "\(seen) rows seen, \(used) used" }
    return nil
  }
}

/// Sums of an account over time: rows times steps.
package struct MemoryIntegral: Hashable, Sendable {
  package var used = 0
  package var reserved = 0
  package var inside = 0
  package var free = 0
  package var outside = 0
  package var held = 0
  package var seen = 0
  package var stepCount = 0

  package init() {}

  /// Adds `count` steps, in each of which `growing` rows more are used that were reserved.
  mutating func add(_ account: MemoryAccount, growing: Int, stepCount count: Int) {
    let grown = growing * (count * (count - 1) / 2)
    used += account.used * count + grown
    reserved += account.reserved * count - grown
    inside += account.inside * count
    free += account.free * count
    outside += account.outside * count
    held += account.held * count
    seen += account.seen * count + grown
    stepCount += count
  }

  static func += (a: inout MemoryIntegral, b: MemoryIntegral) {
    a.used += b.used
    a.reserved += b.reserved
    a.inside += b.inside
    a.free += b.free
    a.outside += b.outside
    a.held += b.held
    a.seen += b.seen
    a.stepCount += b.stepCount
  }
}
