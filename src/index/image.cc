#include "index/engine.h"
namespace skerry {
Status Engine::save(const std::filesystem::path&, const ImageTag&) const { return Status(Code::io_error, "wip"); }
Result<std::unique_ptr<Engine>> Engine::load(const std::filesystem::path&, ImageMode, const IndexOptions*, const ImageTag*, CustomDistance, KeyOrder) { return Status(Code::io_error, "wip"); }
}
