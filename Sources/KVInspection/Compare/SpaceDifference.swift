import KVBlocks

/// What makes two cache spaces two: blocks of one are never looked for in the other.
enum SpaceDifference {
  static func isNone(_ a: SpaceRecord, _ b: SpaceRecord) -> Bool {
    a.fingerprint == b.fingerprint && a.layout == b.layout
  }

  /// The names of what differs; none for one space, in whichever store.
  static func names(_ a: SpaceRecord, _ b: SpaceRecord) -> [String] {
    guard !isNone(a, b) else { return [] }
    var names: [String] = []
    if a.fingerprint.model != b.fingerprint.model { names.append("model") }
    if a.fingerprint.adapter != b.fingerprint.adapter { names.append("adapter") }
    let settings = Set(a.fingerprint.settings.keys).union(b.fingerprint.settings.keys)
    for name in settings.sorted() where a.fingerprint.settings[name] != b.fingerprint.settings[name] {
      names.append("setting \(name)")
    }
    if a.fingerprint.salt != b.fingerprint.salt { names.append("salt") }
    if a.fingerprint.vllmSeed != b.fingerprint.vllmSeed { names.append("vLLM seed") }
    if a.layout.blockTokenCount != b.layout.blockTokenCount { names.append("tokens a block") }
    if a.layout.planes != b.layout.planes { names.append("planes") }
    return names
  }
}
