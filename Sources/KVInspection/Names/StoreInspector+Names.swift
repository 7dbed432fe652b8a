import KVBlocks
import KVDiskTier

/// Names of what a store holds, some of them: what a shell completes.
extension StoreInspector {
  package func sessionNames(startingWith prefix: String, limit: Int) throws(StoreError) -> [String] {
    try withTier { (tier) throws(StoreError) in
      var names: Set<String> = []
      try tier.scanSessionSummaries { (summary) throws(StoreError) in
        if summary.name.hasPrefix(prefix) { names.insert(summary.name) }
        return names.count < limit
      }
      return names.sorted()
    }
  }

  package func spaceNumbers() throws(StoreError) -> [String] {
    try withTier { (tier) throws(StoreError) in try tier.spaces().map { String($0.id.rawValue) } }
  }

  /// In hexadecimal digits, by space and hash.
  package func blockHashes(startingWith prefix: String, limit: Int) throws(StoreError) -> [String] {
    try withTier { (tier) throws(StoreError) in
      var hashes: [String] = []
      try tier.scanBlocks { (block) throws(StoreError) in
        let text = block.key.hash.description
        if text.hasPrefix(prefix) { hashes.append(text) }
        return hashes.count < limit
      }
      return hashes
    }
  }
}
