# Installation: the tool, the runtime headers, the driver, and the package find_package(gradc CONFIG) finds.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set_target_properties(gradc_runtime PROPERTIES EXPORT_NAME runtime)
set_target_properties(gradc_driver PROPERTIES EXPORT_NAME driver)
install(TARGETS gradc gradc_runtime gradc_driver EXPORT gradc-targets
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/runtime/gradc DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")

# What the installed gradc compiles programs against, relative to the list so that the tree can be moved.
set(list_dir ${CMAKE_INSTALL_PREFIX}/share/gradc)
file(RELATIVE_PATH include_dir ${list_dir} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
file(RELATIVE_PATH lib_dir ${list_dir} ${CMAKE_INSTALL_FULL_LIBDIR})
file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/install/gradc-runtime.txt CONTENT
"include ${include_dir}
driver ${lib_dir}/$<TARGET_FILE_NAME:gradc_driver>
link -lz
link -pthread
")
install(FILES ${PROJECT_BINARY_DIR}/install/gradc-runtime.txt DESTINATION share/gradc)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/gradc)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/gradcConfig.cmake.in
  ${PROJECT_BINARY_DIR}/install/gradcConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/install/gradcConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(EXPORT gradc-targets NAMESPACE gradc:: DESTINATION ${package_dir})
install(FILES ${PROJECT_BINARY_DIR}/install/gradcConfig.cmake ${PROJECT_BINARY_DIR}/install/gradcConfigVersion.cmake
  ${PROJECT_BINARY_DIR}/install/gradcTargetTable.cmake ${PROJECT_SOURCE_DIR}/cmake/GradcAddNetwork.cmake
  DESTINATION ${package_dir})
