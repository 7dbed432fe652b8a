import KVBlocks
import KVDiskTier

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// Two stores to compare, which may be one.
package struct StorePair: Sendable {
  package let a: StoreInspector
  package let b: StoreInspector

  package init(_ a: StoreInspector, _ b: StoreInspector) {
    self.a = a
    self.b = b
  }

  /// Opens both for reading; one store once, since a process may have it open only once.
  func withTiers<R>(_ body: (DiskTier, DiskTier) throws(StoreError) -> R) throws(StoreError) -> R {
    try a.withTier { (first) throws(StoreError) in
      if isOne { return try body(first, first) }
      return try b.withTier { (second) throws(StoreError) in try body(first, second) }
    }
  }

  var isOne: Bool {
    var (first, second) = (stat(), stat())
    guard stat("\(a.path)/data.mdb", &first) == 0, stat("\(b.path)/data.mdb", &second) == 0 else { return false }
    return first.st_dev == second.st_dev && first.st_ino == second.st_ino
  }
}

/// A session to compare, by the words that name it.
package struct SessionChoice: Hashable, Sendable {
  package var name: String
  /// Needed only where several spaces have a session of that name.
  package var space: SpaceID?

  package init(name: String, space: SpaceID? = nil) {
    self.name = name
    self.space = space
  }

  /// - Throws: `notFound`; `invalidArgument` for a name that several spaces have.
  func find(in tier: DiskTier) throws(StoreError) -> (space: SpaceRecord, session: SessionRecord) {
    var found: [(SpaceRecord, SessionRecord)] = []
    var damage: StoreError?
    for candidate in try tier.spaces(damaged: { damage = $1 }) where space == nil || candidate.id == space {
      if let session = try tier.session(space: candidate.id, name: name) { found.append((candidate, session)) }
    }
    guard let only = found.first else {
      // It may be a session of a space that cannot be read.
      throw damage
        ?? StoreError(.notFound, "there is no session \"\(name)\" in \(tier.path); `kvpager sessions` lists them")
    }
    guard found.count == 1 else {
      let spaces = found.map { String($0.0.id.rawValue) }.joined(separator: ", ")
      throw .invalidArgument("spaces \(spaces) of \(tier.path) each have a session \"\(name)\": add --space")
    }
    return only
  }
}
