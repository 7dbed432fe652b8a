import KVBlocks

/// Reads a trace, line by line: requests as JSON objects (`timestamp` in ms, `input_length`, `output_length`,
/// `hash_ids`, as Mooncake's and WEKA's have them), or a table of times and token counts as Azure's has it.
struct TraceReader {
  private enum Format {
    case objects
    case table
  }

  /// What is known of a request's blocks: its names in `prefixBlocks`, and of how many tokens each is.
  static let prefixBlockTokenCount = 512
  /// A thousand years, in milliseconds.
  private static let timestampLimit = 31_600_000_000_000

  private let name: String
  private var requests: [ServingRequest] = []
  private var prefixBlocks: [Int32] = []
  /// Numbers of the names of full blocks.
  private var numbers: [Int: Int32] = [:]
  /// The names that the line at hand gives.
  private var names: [Int] = []

  private init(name: String) { self.name = name }

  /// - Throws: `damaged`, naming the line, for what is no trace.
  static func workload(_ lines: inout LineReader, name: String) throws(StoreError) -> ServingWorkload {
    var reader = TraceReader(name: name)
    var format: Format?
    while let line = try lines.next() {
      var fields = FieldReader(line)
      fields.skipBlanks()
      if fields.isAtEnd { continue }
      do throws(LineFlaw) {
        switch format {
        case .objects?: try reader.readObject(fields)
        case .table?: try reader.readRow(line)
        case nil where line.first == UInt8(ascii: "{"):
          format = .objects
          try reader.readObject(fields)
        case nil:
          try reader.readTitles(line)
          format = .table
        }
      } catch {
        throw StoreError(
          .damaged, "\(name), line \(lines.lineNumber), byte \(error.position + 1): \(error.message)")
      }
      guard reader.requests.count <= ServingWorkload.requestLimit,
        reader.prefixBlocks.count <= ServingWorkload.prefixBlockLimit
      else {
        throw StoreError(
          .damaged,
          "\(name), line \(lines.lineNumber): more than \(ServingWorkload.requestLimit) requests or "
            + "\(ServingWorkload.prefixBlockLimit) block references; give a part of the trace")
      }
    }
    return try reader.workload()
  }

  private func workload() throws(StoreError) -> ServingWorkload {
    guard !requests.isEmpty else { throw StoreError(.damaged, "\(name) holds no request") }
    var sorted = requests
    // Requests of one moment stay in the file's order.
    let isSorted = zip(sorted, sorted.dropFirst()).allSatisfy { $0.arrivalMicroseconds <= $1.arrivalMicroseconds }
    if !isSorted {
      let order = sorted.indices.sorted {
        (requests[$0].arrivalMicroseconds, $0) < (requests[$1].arrivalMicroseconds, $1)
      }
      sorted = order.map { requests[$0] }
    }
    let start = sorted[0].arrivalMicroseconds
    for index in sorted.indices { sorted[index].arrivalMicroseconds -= start }
    return ServingWorkload(
      name: name, requests: sorted, prefixBlocks: prefixBlocks, uniquePrefixBlockCount: numbers.count,
      prefixBlockTokenCount: Self.prefixBlockTokenCount)
  }

  private mutating func readObject(_ given: FieldReader) throws(LineFlaw) {
    var fields = given
    var (timestamp, prompt, output): (Int?, Int?, Int?)
    names.removeAll(keepingCapacity: true)
    try fields.expect("{")
    if !fields.takes("}") {
      repeat {
        let name = try fields.name()
        try fields.expect(":")
        switch name {
        case "timestamp": timestamp = try fields.thousandths(Self.timestampLimit)
        case "input_length": prompt = try fields.count(ServingWorkload.tokenLimit)
        case "output_length": output = try fields.count(ServingWorkload.tokenLimit)
        case "hash_ids": try readNames(&fields)
        default: try fields.skipValue()
        }
      } while fields.takes(",")
      try fields.expect("}")
    }
    fields.skipBlanks()
    guard fields.isAtEnd else { throw fields.flaw("text after the request") }
    guard let timestamp, let prompt, let output else {
      throw fields.flaw("a request has timestamp, input_length and output_length")
    }
    guard prompt > 0 else { throw fields.flaw("a request with input_length 0") }
    try Self.check(prompt, output, fields)
    let firstBlock = prefixBlocks.count
    // A last block that the prompt does not fill is its own: only full ones are shared.
    for name in names.prefix(prompt / Self.prefixBlockTokenCount) { prefixBlocks.append(number(of: name)) }
    requests.append(
      ServingRequest(
        arrivalMicroseconds: timestamp, promptTokenCount: prompt, outputTokenCount: output,
        prefix: firstBlock..<prefixBlocks.count))
  }

  /// Keeps the names that the longest prompt can fill blocks of: how many count is known when the line is read.
  private mutating func readNames(_ fields: inout FieldReader) throws(LineFlaw) {
    names.removeAll(keepingCapacity: true)
    try fields.expect("[")
    if fields.takes("]") { return }
    repeat {
      let name = try fields.count(1 << 53)
      if names.count < ServingWorkload.tokenLimit / Self.prefixBlockTokenCount { names.append(name) }
    } while fields.takes(",")
    try fields.expect("]")
  }

  private mutating func number(of name: Int) -> Int32 {
    if let number = numbers[name] { return number }
    let number = Int32(numbers.count)
    numbers[name] = number
    return number
  }

  private static func check(_ prompt: Int, _ output: Int, _ fields: FieldReader) throws(LineFlaw) {
    guard prompt + output <= ServingWorkload.tokenLimit else {
      throw fields.flaw(
        "a request of \(prompt + output) tokens, prompt and output; at most \(ServingWorkload.tokenLimit) can be served"
      )
    }
  }

  private func readTitles(_ line: ArraySlice<UInt8>) throws(LineFlaw) {
    // A byte order mark is no part of the first title.
    let text = String(decoding: line, as: UTF8.self).drop { $0 == "\u{feff}" }
    guard text == "TIMESTAMP,ContextTokens,GeneratedTokens" else {
      throw LineFlaw(
        message: "no trace: JSON objects with timestamp, input_length and output_length are expected, "
          + "or a table with the titles TIMESTAMP,ContextTokens,GeneratedTokens", position: 0)
    }
  }

  private mutating func readRow(_ line: ArraySlice<UInt8>) throws(LineFlaw) {
    var fields = FieldReader(line)
    guard let arrival = TraceTime.microseconds(fields.field()) else {
      throw LineFlaw(message: "a time such as 2023-11-16 18:15:46.6805900 is expected", position: 0)
    }
    let prompt = try fields.count(ServingWorkload.tokenLimit)
    try fields.expect(",")
    let output = try fields.count(ServingWorkload.tokenLimit)
    fields.skipBlanks()
    guard fields.isAtEnd else { throw fields.flaw("more fields than titles") }
    guard prompt > 0 else { throw fields.flaw("a request without a prompt") }
    try Self.check(prompt, output, fields)
    requests.append(
      ServingRequest(arrivalMicroseconds: arrival, promptTokenCount: prompt, outputTokenCount: output))
  }
}

/// Times as a table has them: "2023-11-16 18:15:46.6805900".
enum TraceTime {
  /// Since 1970. Nil for what is no such time.
  static func microseconds(_ text: ArraySlice<UInt8>) -> Int? {
    guard (19...32).contains(text.count) else { return nil }
    let bytes = Array(text)
    func number(_ start: Int, _ count: Int, _ range: ClosedRange<Int>) -> Int? {
      var value = 0
      for byte in bytes[start..<start + count] {
        guard (0x30...0x39).contains(byte) else { return nil }
        value = value * 10 + Int(byte - 0x30)
      }
      return range.contains(value) ? value : nil
    }
    let marks: [(Int, String)] = [(4, "-"), (7, "-"), (10, " T"), (13, ":"), (16, ":")]
    guard marks.allSatisfy({ $1.utf8.contains(bytes[$0]) }), let year = number(0, 4, 1970...2999),
      let month = number(5, 2, 1...12), let day = number(8, 2, 1...31), let hour = number(11, 2, 0...23),
      let minute = number(14, 2, 0...59), let second = number(17, 2, 0...60)
    else {
      return nil
    }
    var fraction = 0
    if bytes.count > 19 {
      guard bytes[19] == UInt8(ascii: "."), bytes.count > 20 else { return nil }
      var scale = 100_000
      for byte in bytes[20...] {
        guard (0x30...0x39).contains(byte) else { return nil }
        fraction += Int(byte - 0x30) * scale
        scale /= 10
      }
    }
    let days = dayCount(year, month, day)
    return (((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000 + fraction
  }

  /// Days since 1970 in the Gregorian calendar, counted in years that begin with March.
  private static func dayCount(_ year: Int, _ month: Int, _ day: Int) -> Int {
    let shifted = month > 2 ? year : year - 1
    let monthOfYear = (month + 9) % 12
    return shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + (153 * monthOfYear + 2) / 5 + day - 1 - 719_468
  }
}
