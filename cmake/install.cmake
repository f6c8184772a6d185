# install.cmake - what goes where on `cmake --install`?
#
#   include/skerry/*.h   lib/libskerry.{a,so}   lib/cmake/skerry/   lib/pkgconfig/skerry.pc
#   bin/skerry           share/man/man1/skerry.1                    share/doc/skerry/
#
# debian/*.install say which package each of them is in (tests/packaging).
#
# Nothing installed names the prefix: the tree may be moved.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/skerry)

install(TARGETS skerry EXPORT skerryTargets)
install(DIRECTORY include/skerry DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(EXPORT skerryTargets NAMESPACE skerry:: DESTINATION ${package_dir})

configure_package_config_file(cmake/skerryConfig.cmake.in skerryConfig.cmake
                              INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file(skerryConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/skerryConfig.cmake ${PROJECT_BINARY_DIR}/skerryConfigVersion.cmake
              cmake/FindLMDB.cmake
        DESTINATION ${package_dir})

# skerry.pc finds its prefix from where it lies.
set(pc_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH pc_prefix /prefix/${pc_dir} /prefix)
string(REGEX REPLACE "/$" "" pc_prefix "${pc_prefix}")
set(pc_cflags "")
if(BUILD_SHARED_LIBS)
  set(pc_cflags " -DSKERRY_SHARED")
endif()
configure_file(cmake/skerry.pc.in skerry.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/skerry.pc DESTINATION ${pc_dir})

install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

if(TARGET skerry_cli)
  install(TARGETS skerry_cli)
endif()
if(TARGET skerry_manual)
  install(FILES ${PROJECT_BINARY_DIR}/skerry.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()
