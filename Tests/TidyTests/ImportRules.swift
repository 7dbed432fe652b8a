/// Which module imports which: the house, as code. Imports point down.
enum ImportRules {
  /// What each module may import of the package's own. A module that is not listed is not part of the house.
  static let house: [Substring: Set<Substring>] = [
    "CSystemLMDB": [], "CSystemLZ4": [], "CSystemXXHash": [], "CKernels": [], "CKVPager": [],
    "KVBlocks": [],
    "SafeLMDB": ["CSystemLMDB"],
    "KVCodec": ["KVBlocks", "CSystemLZ4", "CSystemXXHash", "CKernels"],
    "KVMemoryTier": ["KVBlocks"],
    "KVDiskTier": ["KVBlocks", "KVCodec", "SafeLMDB"],
    "PagedAttention": ["KVBlocks", "CKernels"],
    "KVTiering": ["KVBlocks", "KVMemoryTier"],
    "KVPager": ["KVBlocks", "KVTiering", "KVMemoryTier", "KVDiskTier", "KVCodec"],
    "KVInterchange": ["KVBlocks"],
    "KVInspection": ["KVBlocks", "KVCodec", "KVDiskTier", "SafeLMDB"],
    "KVStudy": ["KVBlocks", "KVCodec", "KVPager", "PagedAttention", "KVInspection"],
    "KVSimulation": ["KVBlocks", "KVTiering", "KVPager", "KVDiskTier", "KVMemoryTier"],
    "KVPagerC": ["KVPager", "KVInterchange", "CKVPager"],
    "KVPagerCLI": ["KVPager", "KVInterchange", "KVInspection", "KVStudy", "PagedAttention"],
  ]

  /// Other packages' modules, where they are used.
  static let outside: [Substring: Set<Substring>] = [
    "KVBlocks": ["Crypto"],
    "KVPager": ["Logging", "Metrics"],
    // Logging: a store's configuration takes a Logger, and the library and the command give it a silent one.
    "KVPagerC": ["Logging"],
    "KVPagerCLI": ["ArgumentParser", "Foundation", "Logging"],
  ]

  /// The language's and the system's.
  static let everywhere: Set<Substring> = ["Swift", "Synchronization", "Glibc", "Musl", "Darwin"]

  static let rule = FileRule(name: "imports point down the house") { file in
    guard file.isSwift, let module = file.module else { return [] }
    guard let own = house[module] else {
      return [Violation(path: file.path, line: 0, message: "\(module) is no module of the house")]
    }
    let allowed = own.union(outside[module] ?? []).union(everywhere)
    return file.codeViolations { code, _ in
      guard let imported = importedModule(in: code), !allowed.contains(imported) else { return nil }
      return "\(module) must not import \(imported)"
    }
  }

  /// The module that a line imports; nil where the line is no import.
  static func importedModule(in code: String) -> Substring? {
    guard code.holds("import ") else { return nil }
    // Attributes, an access level, the keyword, a kind of declaration, the name.
    let pattern =
      #/
      ^\s*
      (?: @\w+ (?:\([^)]*\))? \s+ )*
      (?: (?: public | package | internal | fileprivate | private ) \s+ )?
      import \s+
      (?: (?: struct | class | enum | protocol | typealias | func | var | let ) \s+ )?
      (\w+)
    /#
    return code.firstMatch(of: pattern)?.1
  }
}
