import Testing

/// All rules about single files.
let fileRules = [
  ImportRules.rule, NameRules.emptyNames, NameRules.glossary, ShapeRules.fileLength, ShapeRules.lineLength,
  ShapeRules.functionLength, ShapeRules.invariants, SafetyRules.prints, SafetyRules.crashes, SafetyRules.unchecked,
  SafetyRules.places,
]

@Suite struct TidyTests {
  let repository: Repository

  /// Read once for all tests.
  static let repository = Result { try Repository() }

  init() throws { repository = try Self.repository.get() }

  @Test func `the rules see the sources`() {
    let modules = Set(repository.files.compactMap(\.module))
    #expect(modules.isSuperset(of: ["KVBlocks", "KVPager", "KVDiskTier", "KVPagerCLI"]))
    #expect(repository.files.contains { $0.path == "Tests/TidyTests/TidyTests.swift" })
  }

  @Test(arguments: fileRules)
  func `every file keeps the rule`(rule: FileRule) {
    let found = repository.files.flatMap(rule.violations)
    if !found.isEmpty {
      Issue.record("\(rule):\n\(found.map(\.description).joined(separator: "\n"))")
    }
  }

  @Test func `no file is too large for the repository`() {
    let found = RepositoryRules.sizes(of: repository.entries)
    #expect(found.isEmpty, "\(found)")
  }

  @Test func `nothing that a build makes is committed`() {
    let found = RepositoryRules.buildProducts(among: repository.trackedPaths ?? [])
    #expect(found.isEmpty, "\(found)")
  }

  @Test func `no two names differ by case only`() {
    let found = RepositoryRules.caseTwins(among: repository.entries.map(\.path))
    #expect(found.isEmpty, "\(found)")
  }
}
