import Testing

/// Feeds each rule what it must catch, and beside it what it must let pass.
@Suite struct PlantedViolationTests {
  struct Case: Sendable, CustomStringConvertible {
    let rule: FileRule
    var path = "Sources/KVTiering/Pager.swift"
    let caught: [String]
    let passed: [String]

    var description: String { rule.name }
  }

  static func function(bodyLineCount: Int) -> String {
    "struct A {\n  func f(\n    x: Int\n  ) {\n" + String(repeating: "    g()\n", count: bodyLineCount) + "  }\n}\n"
  }

  static let unsafe = "nonisolated" + "(unsafe)"

  static let cases = [
    Case(
      rule: ImportRules.rule,
      caught: [
        "import KVDiskTier", "import Foundation", "@testable import SafeLMDB", "import struct Crypto.SHA256",
        "package import KVCodec", "@_exported import KVPager", "#if canImport(Glibc)\n  import Logging\n#endif",
      ],
      passed: [
        "import KVBlocks\nimport KVMemoryTier\nimport Synchronization", "// import Foundation", "let x = \"import Y\"",
      ]),
    Case(rule: ImportRules.rule, path: "Sources/KVMemoryTier/Pool.swift", caught: ["import KVDiskTier"], passed: [""]),
    Case(rule: ImportRules.rule, path: "Sources/KVDiskTier/Tier.swift", caught: ["import KVMemoryTier"], passed: [""]),
    Case(rule: ImportRules.rule, path: "Sources/Unheard/A.swift", caught: ["let a = 1"], passed: []),
    Case(
      rule: NameRules.emptyNames, caught: ["final class BlockManager {}", "enum Hex\("Helper") {}"],
      passed: ["let files = FileManager.default", "// struct BlockManager"]),
    Case(rule: NameRules.emptyNames, path: "Sources/KVBlocks/ByteUtils.swift", caught: ["let a = 1"], passed: []),
    Case(
      rule: NameRules.glossary, caught: ["let chunkCount = 1", "struct Namespace {}", "func spill() {}"],
      passed: ["let blockCount = 1", "// a chunk, as others say", "let kvpagerTable = \"namespace\""]),
    Case(
      rule: ShapeRules.fileLength, caught: [String(repeating: "\n", count: 401)],
      passed: [String(repeating: "\n", count: 400)]),
    Case(
      rule: ShapeRules.lineLength, caught: [String(repeating: "x", count: 121)],
      passed: [String(repeating: "é", count: 120)]),
    Case(
      rule: ShapeRules.functionLength, caught: [function(bodyLineCount: 66)], passed: [function(bodyLineCount: 65)]),
    Case(
      rule: ShapeRules.invariants, caught: ["struct A {\n  func assertInvariants() {}\n}"],
      passed: [
        "// Invariants:\n// - none\nstruct A {\n  func assertInvariants() {}\n}",
        "extension A {\n  func assertInvariants() {}\n}",
      ]),
    Case(
      rule: SafetyRules.prints, caught: ["  print(\"here\")", "debugPrint(x)", "dump(x)", "let a = \"\\(dump(x))\""],
      passed: ["// print(x)", "let s = \"print(\"", "printer.print(x)", "func blueprint() {}\nblueprint()"]),
    Case(
      rule: SafetyRules.crashes, caught: ["let a = try! f()", "fatalError(\"no\")"],
      passed: [
        "let a = try f()", "precondition(a > 0)", "// fatalError(", "let s = #\"try! \"# + \"\"\"\n try!\n \"\"\"",
      ]),
    Case(
      rule: SafetyRules.unchecked, caught: ["class A: @unchecked Sendable {}", "\(unsafe) let a = b"],
      passed: ["class A: @unchecked Sendable {}  // because: one thread", "// @unchecked Sendable"]),
    Case(
      rule: SafetyRules.places, path: "README.md", caught: SafetyRules.placeNames.map { "see \($0)" },
      passed: ["see https://www.swift.org", "the network/main road"]),
  ]

  @Test(arguments: cases)
  func `a planted violation is caught`(planted: Case) {
    for text in planted.caught {
      #expect(planted.rule.violations(SourceFile(path: planted.path, text: text)).count == 1, "\(text)")
    }
    for text in planted.passed {
      #expect(planted.rule.violations(SourceFile(path: planted.path, text: text)).isEmpty, "\(text)")
    }
  }

  @Test func `every rule has its planted violation`() {
    #expect(Set(Self.cases.map(\.rule.name)) == Set(fileRules.map(\.name)))
    #expect(Self.cases.allSatisfy { !$0.caught.isEmpty })
  }

  @Test func `a print is the command line's right`() {
    #expect(SafetyRules.prints.violations(SourceFile(path: "Sources/KVPagerCLI/Stats.swift", text: "print(1)")).isEmpty)
  }

  @Test func `functions end where their braces do`() {
    let text = """
      protocol P {
        func a() throws(E) -> Int
        func b(
          x: Int
        ) throws(E)
      }
      func c() { [1].map { $0 } }
      func d<T>(_ t: T) -> Int
      where T: P {
        if true {
          1
        }
      }
      """
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    #expect(
      FunctionFinder(lines: lines).functions == [.init(firstLine: 6, lineCount: 1), .init(firstLine: 7, lineCount: 6)])
  }

  @Test func `large files and a large data folder are caught`() {
    let limit = RepositoryRules.fileByteLimit
    let small = [Repository.Entry(path: "data/a", byteCount: limit), .init(path: "Sources/b", byteCount: limit)]
    #expect(RepositoryRules.sizes(of: small).isEmpty)
    #expect(RepositoryRules.sizes(of: small + [.init(path: "c", byteCount: limit + 1)]).map(\.path) == ["c"])
    let many = (0..<3).map { Repository.Entry(path: "data/\($0)", byteCount: limit) }
    #expect(RepositoryRules.sizes(of: many).map(\.path) == ["data"])
  }

  @Test func `committed build products are caught`() {
    let products = ["Package.resolved", ".build/debug/a.o", "tools/benchmarks/Package.resolved", ".build-python/x"]
    #expect(RepositoryRules.buildProducts(among: products).count == products.count)
    #expect(RepositoryRules.buildProducts(among: ["Package.swift", "Sources/build/a", "tools/build"]).isEmpty)
  }

  @Test func `names that differ by case only are caught`() {
    let twins = RepositoryRules.caseTwins(among: [
      "Sources/KVPager/A.swift", "Sources/kvpager/B.swift", "Tests/a", "Tests/A",
    ])
    #expect(twins.map(\.path) == ["Sources/kvpager", "Tests/A"])
    #expect(RepositoryRules.caseTwins(among: ["a/b", "b/a", "a/c"]).isEmpty)
  }
}
