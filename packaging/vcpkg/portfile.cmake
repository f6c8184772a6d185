# portfile.cmake - Skerry for vcpkg, as an overlay: vcpkg install skerry --overlay-ports=packaging/vcpkg
#
# The port takes the sources of the tree it lies in. docs/packaging.md says how it is tested.
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)

string(COMPARE EQUAL "${VCPKG_LIBRARY_LINKAGE}" "dynamic" shared)
vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS
    -DBUILD_SHARED_LIBS=${shared}
    -DSKERRY_BUILD_BENCH=OFF
    -DSKERRY_BUILD_CLI=OFF
    -DSKERRY_BUILD_EXAMPLES=OFF
    -DSKERRY_BUILD_TESTS=OFF
    -DSKERRY_WERROR=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(PACKAGE_NAME skerry CONFIG_PATH lib/cmake/skerry)
vcpkg_fixup_pkgconfig()

file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include" "${CURRENT_PACKAGES_DIR}/debug/share"
                    "${CURRENT_PACKAGES_DIR}/share/doc")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
