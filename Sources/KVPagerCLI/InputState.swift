import KVInterchange
import KVPager

/// A file to be imported: its state, and what tells its rows apart from others'.
struct InputState {
  let path: String
  let state: any ImportedState
  private let source: ByteSource

  /// - Parameter tokens: the cells' tokens, for a file that carries none.
  init(path: String, tokens: [Token]?) throws {
    let source = try ByteSource(path: path)
    self.path = path
    self.source = source
    do throws(FormatError) {
      state = try EngineFile.read(source, tokens: tokens)
    } catch {
      throw InputFailure(path: path, cause: error)
    }
    guard let tokens else { return }
    guard tokens.count >= state.rowCount else {
      throw StoreError.invalidArgument(
        "\(tokens.count) token ids are given and \(path) has \(state.rowCount) rows; give one for each")
    }
    guard Array(tokens.prefix(state.rowCount)) == state.tokens else {
      throw StoreError.invalidArgument(
        "\(path) carries token ids of its own, and they differ from those given; leave --tokens out")
    }
  }

  var byteCount: Int { source.byteCount }

  /// The last part of the path.
  var name: String { path.split(separator: "/").last.map(String.init) ?? path }

  /// What the rows depend on. Where the file does not tell its tokens, its bytes' digest joins the salt: only another
  /// import of the same file may share its blocks.
  func fingerprint(model: String, adapter: String, salt: String) throws -> ModelFingerprint {
    ModelFingerprint(
      model: model, adapter: adapter, settings: state.fingerprintSettings,
      salt: state.tokensAreKnown ? salt : "\(salt)|sha256:\(try digest())")
  }

  private func digest() throws -> String {
    var digest = RowDigest()
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    defer { buffer.deallocate() }
    var offset = 0
    while offset < source.byteCount {
      let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(buffer.count, source.byteCount - offset)])
      do throws(FormatError) {
        try source.read(at: offset, into: piece)
      } catch {
        throw InputFailure(path: path, cause: error)
      }
      digest.update(UnsafeRawBufferPointer(piece))
      offset += piece.count
    }
    return digest.finalize().description
  }
}
