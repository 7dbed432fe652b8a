import KVInterchange
import KVPager

/// The options of `kvpager_session_export`: what an engine's state is to look like.
struct ExportOptions {
  private enum Form {
    case container(StateContainer)
    case safetensors
  }

  private static let formatNames: [(String, Form)] = [
    ("llama-seq", .container(.sequenceFile)), ("llama-session", .container(.sessionFile)),
    ("llama-blob", .container(.memoryBlob)), ("llama-context", .container(.contextBlob)), ("safetensors", .safetensors),
  ]

  private let format: EngineFile.Format

  init(_ text: UnsafePointer<CChar>?) throws(StoreError) {
    var members = try JSONMembers(text, "options")
    if members.isEmpty {
      format = .asImported
      return
    }
    let form = try members.choice("format", Self.formatNames)
    if case .safetensors = form {
      format = .safetensors(headCount: try members.integer("heads", 1...BlockLayout.rowByteCountLimit))
      try members.finish()
      return
    }
    var options = SequenceExportOptions()
    if case .container(let container) = form { options.container = container }
    options.version = try members.integer("version", 2...4)
    options.isTransposed = try members.flag("transposed")
    options.streamCount = try members.integer("streams", 1...4096)
    options.streamIndex = try members.integer("stream", 0...4095)
    options.sequenceID = try members.integer("sequence", 0...4095).map { Int32($0) }
    options.hasBlobHeader = try members.flag("blobHeader")
    if let rotation = try members.integers("rotation", count: 2, 0...1 << 20) {
      options.rotation = CacheRotation(keys: rotation[0], values: rotation[1])
    }
    options.architecture = try members.text("arch")
    try members.finish()
    format = options == SequenceExportOptions() ? .asImported : .sequenceState(options)
  }

  /// A writer of `tokenCount` tokens and their rows. `origin` and `checkpoint` as the session has them.
  func writer(
    origin: [UInt8] = [], tokens: [Token], planes: [PlaneLayout], checkpoint: [UInt8] = [], tokenCount: Int
  ) throws(StoreError) -> any StateExport {
    try EngineFile.writer(
      origin: origin, tokens: tokens, planes: planes, checkpoint: checkpoint, tokenCount: tokenCount, format: format)
  }

  /// Options that write a state of the same shape.
  static func json(_ options: SequenceExportOptions) -> JSONValue {
    var members: [String: JSONValue] = [:]
    for case (let name, .container(let container)) in formatNames where container == options.container {
      members["format"] = .string(name)
    }
    members["version"] = options.version.map { .integer($0) }
    members["transposed"] = options.isTransposed.map { .bool($0) }
    members["streams"] = options.streamCount.map { .integer($0) }
    members["stream"] = options.streamIndex.map { .integer($0) }
    members["sequence"] = options.sequenceID.map { .integer(Int($0)) }
    members["blobHeader"] = options.hasBlobHeader.map { .bool($0) }
    members["rotation"] = options.rotation.map { [.integer($0.keys), .integer($0.values)] }
    members["arch"] = options.architecture.map { .string($0) }
    return .object(members)
  }
}
