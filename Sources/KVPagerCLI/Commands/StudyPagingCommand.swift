import ArgumentParser
import KVInspection
import KVPager
import KVStudy

struct StudyPagingCommand: ParsableCommand, MayNeedStore {
  static let schema = AnswerSchema(PagingStudy.schemaName, version: 1)

  static let configuration = CommandConfiguration(
    commandName: "paging",
    abstract: "Compare contiguous and paged memory for keys and values, and recommend a block size.",
    usage: "kvpager study paging [--trace <file>] [<options>]",
    discussion: """
      Serves a workload's requests from one memory, again and again: contiguous at the maximum length, at the \
      next power of two, at the exact length (which nobody knows before) with first fit and with best fit, and \
      paged in blocks of 1 to 512 tokens.

      SERVER
      Memory is what is short; compute never is. A request holds its prompt's rows from when it is \
      admitted, computes them at --prefill-rate, then gains a row each --token-time, and leaves when its output \
      is whole. Who does not fit waits, first come, first served, and is refused after --patience (0: no queue). \
      Paging takes a block when a row needs one and admits while a hundredth of the blocks stays free; where none \
      is left the newest request goes to disk and comes back before any other is admitted (how long disk takes \
      is not counted, how often is). Shared prefixes hold what is in memory at the same time, once. Memory, \
      unless --capacity says otherwise, is what the requests of the busiest hour would hold on average if \
      nothing was wasted; at least the longest request at the next power of two.

      MEMORY
      used: rows that hold a token. reserved: taken, and will hold one later. inside: taken, and never \
      will. outside: free, and enough for the first in the queue, but in no hole that fits it. free: the rest. \
      Means over the hour that wants most memory, or, where it is shorter, the time from the first arrival to the last.

      TRACES
      JSON lines with timestamp (ms), input_length, output_length and hash_ids (blocks of 512 tokens), \
      as Mooncake's and WEKA's have them; or a table TIMESTAMP,ContextTokens,GeneratedTokens, as Azure's. Plain, \
      or compressed with zstd.

      DISTRIBUTIONS
      fixed:N, uniform:LOW-HIGH, lognormal:MEDIAN,SIGMA or chat, of prompts; after a slash, of \
      outputs: lognormal:1000,1/uniform:50-400.

      EXAMPLES
        kvpager study paging
        kvpager study paging --trace conversation.jsonl.zst --html paging.html
        kvpager study paging --store kv --capacity 24GiB --distribution fixed:900
      """)

  @Option(help: ArgumentHelp("Layers of the model.", valueName: "n")) var layers: Int?
  @Option(help: ArgumentHelp("Heads of keys and values.", valueName: "n")) var kvHeads: Int?
  @Option(help: ArgumentHelp("Elements of a head.", valueName: "n")) var headSize: Int?
  @Option(help: ArgumentHelp("Query heads.", valueName: "n")) var queryHeads: Int?
  @Option(
    help: ArgumentHelp(
      "Type of keys and values: f16, bf16 or f32. The default is an 8B model's: 32 layers, 8 "
        + "heads of 128, 32 query heads, f16.", valueName: "type"))
  var type: String?

  @Option(
    help: ArgumentHelp("Take the layout, and rows to compress, from this store.", valueName: "dir"),
    completion: .directory)
  var store: String?
  @Option(help: ArgumentHelp("The store's cache space, where it has several.", valueName: "id")) var space: UInt32?

  @Option(help: ArgumentHelp("Requests from a trace.", valueName: "file"), completion: .file())
  var trace: String?
  @Option(help: ArgumentHelp("Requests drawn from a distribution of lengths.", valueName: "lengths"))
  var distribution: String?
  @Option(help: ArgumentHelp("Requests to draw.", valueName: "n")) var requests: Int?
  @Option(help: ArgumentHelp("Requests a second, on average.", valueName: "n")) var rate: Double?
  @Option(help: ArgumentHelp("What the draws begin with.", valueName: "n")) var seed: UInt64?

  @Option(help: ArgumentHelp("Memory for keys and values.", valueName: "size")) var capacity: ByteSize?
  @Option(help: ArgumentHelp("Longest request that the server takes; default: the workload's.", valueName: "tokens"))
  var maxLength: Int?
  @Option(help: ArgumentHelp("Milliseconds from one token of output to the next.", valueName: "ms"))
  var tokenTime = 25.0
  @Option(help: ArgumentHelp("Tokens of a prompt that are computed in a second.", valueName: "n"))
  var prefillRate = 10_000
  @Option(help: ArgumentHelp("Seconds that a request waits before it is refused.", valueName: "s"))
  var patience = 60.0

  @Option(
    name: .customLong("html"), help: ArgumentHelp("Write a page with plots; - for standard output.", valueName: "file"),
    completion: .file(extensions: ["html"]))
  var html: String?
  @Flag(help: "Replace a file that exists.") var force = false
  @Flag(inversion: .prefixedNo, help: "Measure attention, look-ups and compression on this machine.")
  var measure = true
  @OptionGroup var output: OutputOptions

  var needsStore: Bool { store != nil }

  func validate() throws {
    if trace != nil, distribution != nil || requests != nil || rate != nil || seed != nil {
      throw ValidationError("--trace has its own requests: leave --distribution, --requests, --rate and --seed out.")
    }
    if html == ExportTarget.standardOutputName, output.isJSON {
      throw ValidationError("--json and --html - both want standard output: choose one.")
    }
    if store == nil, space != nil { throw ValidationError("--space is a store's: add --store <dir>.") }
    if store != nil, layers != nil || type != nil {
      throw ValidationError("--store has its own layers and type: leave --layers and --type out.")
    }
    guard tokenTime > 0, tokenTime <= 60_000 else {
      throw ValidationError("--token-time \(tokenTime): give up to 60000.")
    }
    guard patience >= 0, patience <= 1_000_000 else {
      throw ValidationError("--patience \(patience): give up to 1000000.")
    }
  }

  func run() throws {
    // A file that must not be replaced is told of before the work is done.
    let target = try html.flatMap {
      $0 == ExportTarget.standardOutputName ? nil : try ExportTarget(path: $0, replaces: force)
    }
    let study = try makeStudy()
    if html != nil {
      let page = StudyPage.text(study, programVersion: KVPagerCommand.configuration.version)
      if let target {
        try Array(page.utf8).withUnsafeBytes { try target.write($0) }
        try target.finish()
      } else {
        try ByteStream.output.write(page)
      }
    }
    if html != ExportTarget.standardOutputName {
      try Answer.write(Self.schema, json: study.json, text: PagingStudyText(study).text, output)
    }
  }

  private func makeStudy() throws -> PagingStudy {
    let note = StudyNote()
    defer { note.finish() }
    var options = PagingStudyOptions()
    let rows: SampleRows?
    (options.layout, rows) = try layoutAndRows()
    options.capacityByteCount = capacity?.byteCount
    options.maximumTokenCount = maxLength
    options.stepMicroseconds = max(1, Int((tokenTime * 1000).rounded()))
    options.prefillRate = prefillRate
    options.patienceMicroseconds = Int((patience * 1_000_000).rounded())
    // What cannot be meant is refused before the work is done.
    try options.check()
    note.show("reading the workload")
    let plan = try ServingPlan(workload(), options)
    let measurements =
      measure ? try StudyMeasurements.measure(options.layout, rows: rows) { note.show("measuring: \($0)") } : nil
    return PagingStudy(plan, measurements: measurements) { done, count in
      note.show("serving: policy \(done + 1) of \(count)")
    }
  }

  private func workload() throws(StoreError) -> ServingWorkload {
    if let trace { return try TraceFile(path: trace).workload() }
    return try GeneratedWorkload(
      distribution ?? "chat", requestCount: requests ?? GeneratedWorkload.commonRequestCount,
      requestRate: rate ?? GeneratedWorkload.commonRequestRate, seed: seed ?? GeneratedWorkload.commonSeed
    ).workload
  }

  private func layoutAndRows() throws -> (StudyLayout, SampleRows?) {
    if let store { return try StudyStore.read(store, space: space, self) }
    let common = StudyLayout()
    var elementType = common.elementType
    if let type {
      guard let named = ElementType(name: type) else {
        throw StoreError.invalidArgument("--type \(type): give f16, bf16 or f32")
      }
      elementType = named
    }
    let layout = try StudyLayout(
      layerCount: layers ?? common.layerCount, keyValueHeadCount: kvHeads ?? common.keyValueHeadCount,
      headSize: headSize ?? common.headSize, queryHeadCount: queryHeads ?? common.queryHeadCount,
      elementType: elementType)
    return (layout, nil)
  }
}

/// What a study takes from a store: its layout, and rows to compress.
private enum StudyStore {
  static func read(_ path: String, space given: UInt32?, _ command: StudyPagingCommand) throws -> (
    StudyLayout, SampleRows?
  ) {
    let options = try StoreOptions.parse(["--store", path])
    return try options.withStore(.readOnly) { store in
      let sessions = try store.sessions()
      let space: CacheSpace
      if let given {
        space = try store.cacheSpace(SpaceID(rawValue: given))
      } else {
        // The one with most tokens in sessions.
        let spaces = try store.cacheSpaces()
        var counts: [SpaceID: Int] = [:]
        for session in sessions { counts[session.space, default: 0] += session.tokenCount }
        guard let most = spaces.max(by: { counts[$0.id, default: 0] < counts[$1.id, default: 0] }) else {
          throw StoreError(.notFound, "\(path) holds no cache space; leave --store out, or import a session first")
        }
        space = most
      }
      let layout = try StudyLayout(
        space.layout, source: path, keyValueHeadCount: command.kvHeads, headSize: command.headSize,
        queryHeadCount: command.queryHeads)
      return (layout, command.measure ? try SampleRows(space, sessions: sessions) : nil)
    }
  }
}

/// What the command is at, on a terminal only.
private final class StudyNote {
  private let isShown = ByteStream.error.isTerminal

  func show(_ text: String) {
    if isShown { try? ByteStream.error.write("\r\(text)\u{1B}[K") }
  }

  func finish() { show("") }
}
